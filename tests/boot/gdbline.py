"""gdb on a machine's second serial line: the program itself, and its protocol spoken by hand."""

import re
import socket
import subprocess

import pexpect

START = ["set confirm off", "set pagination off", "set width 0", "set remotetimeout 60",
         "set architecture i386:x86-64"]


def command(machine, *lines, arguments=("-batch",)):
    words = ["gdb", "-nx", "-q", *arguments]
    for line in (*START, f"target remote {machine.gdb_path}", *lines):
        words += ["-ex", line]
    return words


def gdb(machine, *lines, timeout=120):
    """What gdb prints while it carries out the lines; it leaves by itself, which detaches."""
    done = subprocess.run(command(machine, *lines), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=timeout, check=False)
    return done.stdout + done.stderr


class Gdb:
    """gdb at its prompt, for what has to happen while the guest runs."""

    PROMPT = r"\(gdb\) "

    def __init__(self, machine, *lines, timeout=120):
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
        self.child.close(force=True)

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
