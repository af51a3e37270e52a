"""What the emulators have in common: a process, a folder of its own, and an end."""

import subprocess


class Emulator:
    """One machine. A subclass starts .process and has stop(), which ends it and removes its folder."""

    def wait(self, timeout):
        """Waits until the emulator has ended by itself; False when it still runs."""
        try:
            self.process.wait(timeout)
            return True
        except subprocess.TimeoutExpired:
            return False

    @staticmethod
    def tail(path, size):
        """The end of a file that the emulator writes; nothing when it hasn't yet."""
        try:
            with open(path, "rb") as file:
                return file.read().decode("ascii", "replace")[-size:]
        except FileNotFoundError:
            return ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
