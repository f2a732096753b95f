"""Running of a module with a terminal for its input, output and errors, as a user runs it."""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
import time

from tests.helpers.fresh_process import started_module

SIZE = struct.pack("HHHH", 40, 120, 0, 0)  # rows, columns, pixels


def run_in_terminal(name, *arguments, interrupt_after=None, timeout=300, **options):
    """Run a module in a terminal of 120 columns; return its exit status and its output.

    Parameters
    ----------
    name, *arguments, **options
        As in `started_module`.
    interrupt_after : str, optional
        Text in the output; when it first appears, Ctrl-C is sent once. None sends no Ctrl-C.
    timeout : float, default 300
        Seconds after which the module is killed.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, SIZE)
    ends = time.monotonic() + timeout
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), slave)
    with started_module(name, *arguments, **streams, **options) as running:
        os.close(slave)
        written, interrupted = "", interrupt_after is None
        # Reading fails when no process has the other end open any more.
        with contextlib.suppress(OSError):
            while time.monotonic() < ends and (read := os.read(master, 65536)):
                written += read.decode(errors="replace")
                if not interrupted and interrupt_after in written:
                    interrupted = True
                    os.killpg(running.pid, signal.SIGINT)
        status = running.wait(max(ends - time.monotonic(), 1))
    os.close(master)
    return status, written.replace("\r\n", "\n")
