"""gdb on a machine's second serial line: the program itself, and its protocol spoken by hand."""

import re
import select
import signal
import socket
import subprocess
import threading

import pexpect

START = ["set confirm off", "set pagination off", "set width 0", "set remotetimeout 60",
         "set architecture i386:x86-64"]


def command(machine, *lines, arguments=("-batch",)):
    words = ["gdb", "-nx", "-q", *arguments]
    for line in (*START, f"target remote {machine.gdb_path}", *lines):
        words += ["-ex", line]
    return words


def gdb(machine, *lines, timeout=600):
    """What gdb prints while it carries out the lines; it leaves by itself, which detaches."""
    done = subprocess.run(command(machine, *lines), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=timeout, check=False)
    return done.stdout + done.stderr


class Gdb:
    """gdb at its prompt, for what has to happen while the guest runs."""

    PROMPT = r"\(gdb\) "

    def __init__(self, machine, *lines, timeout=600):
        words = command(machine, *lines, "echo at-its-prompt\\n", arguments=())
        self.child = pexpect.spawn(words[0], words[1:], timeout=timeout, encoding="utf-8",
                                   codec_errors="replace", dimensions=(25, 500))
        self.child.expect("at-its-prompt")
        self.child.expect(self.PROMPT)

    def send(self, line):
        self.child.sendline(line)

    def answer(self):
        """What gdb printed up to its next prompt."""
        self.child.expect(self.PROMPT)
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.child.before)

    def tell(self, line):
        self.send(line)
        return self.answer()

    def interrupt(self):
        self.child.sendintr()

    def close(self):
        # close() alone gives it a tenth of a second to be gone.
        if self.child.isalive():
            self.child.kill(signal.SIGKILL)
            self.child.wait()
        self.child.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def frame(text):
    return b"$" + text + b"#%02x" % (sum(text) & 255)


def expand(text):
    """A reply without its run lengths."""
    return re.sub(rb"(.)\*(.)", lambda m: m[1] * (m[2][0] - 28), text, flags=re.S)


class Line:
    """The protocol by hand. Counts the bytes that came."""

    def __init__(self, machine, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(machine.gdb_path)
        self.buffer = b""
        self.received = 0

    def send(self, data):
        self.socket.sendall(data)

    def read_until(self, pattern):
        while not (match := re.search(pattern, self.buffer, re.S)):
            data = self.socket.recv(4096)
            assert data, "the line is gone"
            self.received += len(data)
            self.buffer += data
        self.buffer = self.buffer[match.end():]
        return match

    def ask(self, text):
        """The reply to a packet."""
        self.send(frame(text))
        reply = self.read_until(rb"\$([^#]*)#..")[1]
        self.send(b"+")
        return expand(reply)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Lent:
    """A console's own line for gdb's "target remote" at .gdb_path, while the test doesn't read it:
    gdb does, and what comes in its last moment is lost to the console, as with a real line."""

    def __init__(self, console, path):
        self.gdb_path = str(path)
        self._console = console
        self._line = console.machine.connection
        self._seen = b""
        self._log_before = len(console.log)
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(self.gdb_path)
        self._server.listen()
        self._stop = socket.socketpair()
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()

    def _relay(self):
        gone = self._stop[1]
        if gone in select.select([self._server, gone], [], [])[0]:
            return
        client = self._server.accept()[0]
        ends = {client: self._line, self._line: client}
        while not (gone in (ready := select.select([*ends, gone], [], [])[0])):
            for end in ready:
                try:
                    data = end.recv(4096)
                    self._seen += data if end is self._line else b""
                    ends[end].sendall(data)
                except OSError:
                    data = b""
                if not data:
                    client.close()
                    return

    def said(self):
        """All that came on the line since it was lent, packets too, whoever has read it."""
        return self._seen.decode("ascii", "replace") + self._console.log[self._log_before:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stop[0].sendall(b"x")
        self._thread.join()
        for end in (*self._stop, self._server):
            end.close()
