"""A serial line with a shell at its other end, for the boot tests and the nested ones."""

import re

from pexpect import fdpexpect


class Line:
    """What came on a connection, and commands for the shell behind it."""

    def __init__(self, connection, prompt, timeout):
        self.prompt = prompt
        self.log = ""
        self.line = fdpexpect.fdspawn(connection, timeout=timeout, encoding="utf-8",
                                      codec_errors="replace")
        self.line.logfile_read = self

    # pexpect's log file: keeps all that came.
    def write(self, text):
        self.log += text

    def flush(self):
        pass

    def expect(self, pattern, timeout=-1):
        self.line.expect(pattern, timeout=timeout)
        return self.line.match

    def shell(self, command, timeout=600):
        """What a command prints. The shell is at its prompt: before that the terminal itself would echo
        what is typed, and the prompt behind that echo be an old one."""
        self.line.send(command + "\n")
        self.expect(re.escape(command[-20:]) + r"\r*\n", timeout)
        self.expect(re.escape(self.prompt), timeout)
        # The shell asks the terminal where the cursor is: not the command's words.
        return self.line.before.replace("\r", "").replace("\x1b[6n", "")
