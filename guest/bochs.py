"""Starts Bochs, the emulator with VT-x, on an image; used by `make run` and by the boot tests."""

import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from emulator import Emulator

SECTOR = 512
HEADS, SECTORS_PER_TRACK = 16, 63
CYLINDER = HEADS * SECTORS_PER_TRACK * SECTOR

# EPT, unrestricted guest, VPID and preemption timer. Not a model with AVX-512: on those, Linux
# programs under pxHV crash now and then unless the kernel leaves XSAVEC and XSAVES alone
# (clearcpuid=xsaves,xsavec). The emulator's compaction is the suspect; a bare kernel can't tell,
# because it finds the model's XSAVE leaves inconsistent and switches XSAVE off.
DEFAULT_MODEL = "broadwell_ult"
BIOS = "/usr/share/bochs/BIOS-bochs-latest"

CONFIG = """\
display_library: rfb, options="timeout=0"
romimage: file={bios}
vgaromimage: file=/usr/share/vgabios/vgabios.bin
megs: {megs}
cpu: model={model}, count={count}, ips={ips}, reset_on_triple_fault=1
clock: sync={sync}, time0={time0}
pci: enabled=1, chipset=i440fx
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path={disk}, mode=flat, cylinders={cylinders}, heads={heads}, spt={spt}
boot: disk
sound: driver=dummy
com1: enabled=1, mode=socket-client, dev=localhost:{port}
{com2}log: {log}
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
"""


COM2 = "com2: enabled=1, mode=socket-client, dev=localhost:{port}\n"


@functools.cache
def debugger_is_an_option():
    """Bochs 3.0 has its debugger only when asked for it, Debian's 2.7 always."""
    said = subprocess.run(["bochs", "--help"], capture_output=True, text=True, errors="replace")
    return "-debugger " in said.stdout + said.stderr


class Relay:
    """Bochs' COM2 on a Unix socket to which one gdb after the other may connect: Bochs itself takes
    one client, for ever, and begins when it has come."""

    def __init__(self, line, path):
        self._line = line
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen()
        self._client = None
        threading.Thread(target=self._accept, daemon=True).start()
        threading.Thread(target=self._to_gdb, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client = self._server.accept()[0]
            except OSError:
                return
            self._client = client
            self._from_gdb(client)
            self._client = None
            client.close()

    def _from_gdb(self, client):
        try:
            while data := client.recv(4096):
                self._line.sendall(data)
        except OSError:
            pass  # either end has gone

    def _to_gdb(self):
        try:
            while data := self._line.recv(4096):
                client = self._client
                try:
                    if client:
                        client.sendall(data)
                except OSError:
                    pass  # nobody listens: as on a line without a plug
        except OSError:
            pass

    def close(self):
        for end in (self._server, self._line):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


class Bochs(Emulator):
    """One emulated machine; .connection is its serial line. stop() ends it and removes its folder.
    With gdb it has a second line, for gdb's "target remote" at the Unix socket .gdb_path, or at the
    path that `gdb` is."""

    def __init__(self, image, model=DEFAULT_MODEL, megs=512, count=1,
                 ips=50_000_000, sync="none", time0="utc", bios=BIOS,
                 debugger="c\n", gdb=False):
        self.folder = tempfile.mkdtemp(prefix="pxhv-bochs-")
        self.gdb_path = gdb if isinstance(gdb, str) else os.path.join(self.folder, "gdb")
        self.log = os.path.join(self.folder, "bochs.log")
        # Bochs leaves a lock file beside the disk when it is killed: give it a name of its own.
        disk = os.path.join(self.folder, "disk.img")
        os.symlink(os.path.abspath(image), disk)
        size = os.path.getsize(image)
        if size % CYLINDER:
            raise ValueError(f"{image}: {size} bytes are no whole number of cylinders")
        # Bochs is the one that connects: a port that it is to listen at may be another's by then.
        listeners = [socket.create_server(("localhost", 0)) for _ in range(2 if gdb else 1)]
        ports = [listener.getsockname()[1] for listener in listeners]
        config = CONFIG.format(
            megs=megs, model=model, count=count, ips=ips, sync=sync, time0=time0, disk=disk,
            cylinders=size // CYLINDER, heads=HEADS, spt=SECTORS_PER_TRACK, port=ports[0],
            log=self.log, bios=bios, com2=COM2.format(port=ports[1]) if gdb else "")
        self._write("bochsrc", config)
        # Where Bochs starts in its debugger, "c" lets the machine run.
        self._write("commands", debugger)
        asked = ["-debugger"] if debugger != "c\n" and debugger_is_an_option() else []
        self.connection = self._relay = None
        self._output = open(os.path.join(self.folder, "stdout"), "wb")
        self.process = subprocess.Popen(
            ["bochs", "-q", "-f", "bochsrc", *asked, "-rc", "commands"], cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT,
            start_new_session=True)
        self.connection = self._accept(listeners[0])
        if gdb:
            self._relay = Relay(self._accept(listeners[1]), self.gdb_path)

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
            file.write(text)

    def _accept(self, listener):
        """Bochs connects before it starts the machine."""
        end = time.monotonic() + 120
        with listener:
            listener.settimeout(0.05)
            while True:
                try:
                    line = listener.accept()[0]
                    line.setblocking(True)
                    return line
                except TimeoutError:
                    if self.process.poll() is not None or time.monotonic() > end:
                        text = self.report()
                        self.stop()
                        raise RuntimeError(f"Bochs did not start\n{text}") from None

    def bochs_log(self):
        return self.tail(self.log, 1 << 30)

    def report(self):
        """The ends of the emulator's own files, for a person who asks why."""
        output = self.tail(os.path.join(self.folder, "stdout"), 500)
        return f"--- bochs.log\n{self.tail(self.log, 3000)}\n--- bochs\n{output}"

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.connection:
            self.connection.close()
        if self._relay:
            self._relay.close()
        self._output.close()
        shutil.rmtree(self.folder, ignore_errors=True)
