"""As much of GDB's remote protocol as it takes to fetch the profile from pxHV's stub, and to let
QEMU's own stub step: "Remote Protocol" in GDB's manual."""


class Link:
    """A connection to a stub over a socket."""

    def __init__(self, connection, timeout=120):
        self.connection = connection
        self.connection.settimeout(timeout)
        self.pending = bytearray()

    def _fill(self):
        data = self.connection.recv(65536)
        if not data:
            raise ConnectionError("the debug line was closed")
        self.pending += data

    def _take(self, count):
        while len(self.pending) < count:
            self._fill()
        taken = bytes(self.pending[:count])
        del self.pending[:count]
        return taken

    def _take_to(self, byte):
        """All up to a byte, without it."""
        while (end := self.pending.find(byte)) < 0:
            self._fill()
        return self._take(end + 1)[:-1]

    def send(self, payload):
        body = payload.encode("ascii")
        packet = b"$" + body + b"#%02x" % (sum(body) & 0xff)
        self.connection.sendall(packet)
        while (answer := self._take(1)) != b"+":
            if answer == b"-":
                self.connection.sendall(packet)

    def receive(self):
        """The next packet's content; one with a wrong checksum is asked for again."""
        while True:
            self._take_to(b"$")
            body = self._take_to(b"#")
            if int(self._take(2), 16) == sum(body) & 0xff:
                self.connection.sendall(b"+")
                return body
            self.connection.sendall(b"-")

    def ask(self, payload):
        self.send(payload)
        return self.receive()


def unpack(body):
    """Binary data: "}" stands for the next byte xor 20h, and a byte, "*" and a character for a run of
    that byte: "Overview" in GDB's manual."""
    out = bytearray()
    at = 0
    while at < len(body):
        if body[at] == ord("}"):
            at += 1
            out.append(body[at] ^ 0x20)
        elif body[at] == ord("*"):
            at += 1
            out += out[-1:] * (body[at] - 29)
        else:
            out.append(body[at])
        at += 1
    return bytes(out)


def read_object(link, name, until=None, piece=4096):
    """What qXfer:name:read gives, whole or up to `until` bytes."""
    data = b""
    while until is None or len(data) < until:
        reply = link.ask(f"qXfer:{name}:read::{len(data):x},{piece:x}")
        if reply[:1] not in (b"m", b"l"):
            raise ConnectionError(f"qXfer:{name} was answered with {reply!r}")
        data += unpack(reply[1:])
        if reply[:1] == b"l":
            break
    return data
