"""Runs as a script, between the parent and mongod: ties mongod's life to its parent's, then becomes mongod.

Usage: `python -I -S _mongod_child.py PARENT_PID BINARY [ARGUMENT...]`. The kernel keeps the request across
exec, the process id stays the same, and nothing of Python remains. It imports little, so as to be quick.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Become mongod; arguments are the parent's process id, the binary and its own arguments.

    Returns an exit status only where it cannot: 1 if the parent is gone already, 71 if the kernel refuses.
    An unusable binary raises OSError.
    """
    parent, binary, *rest = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
        sys.stderr.write(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}\n")
        return 71
    if os.getppid() != int(parent):  # it died before the request was made: no signal would ever come
        sys.stderr.write("the parent ended before mongod started\n")
        return 1
    return os.execv(binary, [binary, *rest])  # noqa: S606 - the binary is the one the parent has just tried


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
