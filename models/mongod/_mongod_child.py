"""Runs as a script that makes the kernel stop mongod when its parent dies, and then replaces itself by mongod.

Usage: `python -I -S _mongod_child.py PARENT_PID BINARY [ARGUMENT...]`. The request to the kernel and the process id
survive exec. The script imports little, to start fast.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Replace this process by mongod; the arguments are the parent's process id, the binary and its arguments.

    Returns an exit status only on failure: 1 if the parent has died already, 71 if prctl fails. Raises OSError if the
    binary cannot be executed.
    """
    parent, binary, *rest = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
        sys.stderr.write(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}\n")
        return 71
    if os.getppid() != int(parent):  # it died before prctl: the signal would never come
        sys.stderr.write("the parent ended before mongod started\n")
        return 1
    return os.execv(binary, [binary, *rest])  # noqa: S606 - the parent has just run this binary


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
