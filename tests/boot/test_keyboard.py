"""The host's keyboard. QEMU presses keys by QMP. Bochs shows its screen by VNC: what a viewer types
there is typed on the emulated machine's PS/2 keyboard."""

import re
import socket
import struct

from platforms import AMDV
from qemu import Qemu  # found through platforms


class Viewer:
    """As much of the RFB protocol 3.3 as it takes to press a key (RFC 6143)."""

    def __init__(self, port):
        self.connection = socket.create_connection(("localhost", port), timeout=600)
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


def press_a(emulator):
    if isinstance(emulator, Qemu):
        emulator.press("a")
        return None
    port = int(re.search(r"listening for connections on port (\d+)", emulator.bochs_log()).group(1))
    viewer = Viewer(port)
    viewer.type("a")
    return viewer  # to live to the end: Bochs ends when its viewer goes


def key_arrives(guest, name):
    guest.expect("tiny: press a")
    viewer = press_a(guest.machine)
    guest.expect(f"tiny: PASS {name}\\W")
    assert guest.wait_for_end(), (guest.log, viewer)


def test_keys_of_the_host_reach_the_guest(platform, image, tiny, console):
    path = image(KERNEL=tiny("keyboard"), edit=lambda text: text + "[pxhv]\nkeyboard = ps2\n")
    key_arrives(console(platform, path), "keyboard")


def test_keys_go_both_ways(image, tiny, console):
    path = image(KERNEL=tiny("keyboard_both"), edit=lambda text: text + "[pxhv]\nkeyboard = both\n")
    key_arrives(console(AMDV, path), "keyboard_both")
