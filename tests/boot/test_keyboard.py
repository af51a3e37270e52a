"""The host's keyboard. Bochs shows its screen by VNC: what a viewer types there is typed on the
emulated machine's PS/2 keyboard."""

import re
import socket
import struct

import machine


class Viewer:
    """As much of the RFB protocol 3.3 as it takes to press a key (RFC 6143)."""

    def __init__(self, port):
        self.connection = socket.create_connection(("localhost", port), timeout=30)
        self._read(12)  # "RFB 003.003\n"
        self.connection.sendall(b"RFB 003.003\n")
        assert struct.unpack(">I", self._read(4)) == (1,)  # no password
        self.connection.sendall(b"\x01")  # other viewers may stay
        self._read(20)
        self._read(struct.unpack(">I", self._read(4))[0])  # the name of the screen

    def _read(self, size):
        data = b""
        while len(data) < size:
            more = self.connection.recv(size - len(data))
            assert more, "the viewer's connection ended"
            data += more
        return data

    def type(self, key):
        for down in (1, 0):
            self.connection.sendall(struct.pack(">BBHI", 4, down, 0, ord(key)))


def test_keys_of_the_host_reach_the_guest(image, tiny):
    console = machine.Console(image(KERNEL=tiny("keyboard")), timeout=60)
    try:
        console.expect("tiny: press a")
        port = int(re.search(r"listening for connections on port (\d+)",
                             console.machine.bochs_log()).group(1))
        viewer = Viewer(port)  # lives to the end: Bochs ends when its viewer goes
        viewer.type("a")
        console.expect("tiny: PASS keyboard")
        assert console.wait_for_end(), console.log
    finally:
        console.close()
