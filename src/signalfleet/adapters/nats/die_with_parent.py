"""Become the command given in the arguments, ended by the kernel when the parent ends (Linux).

Started as a program of its own: code that runs between fork and exec of a process with threads may
stop for ever on a lock that no thread holds any more.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # It ended before the line above could hold.
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606  # The whole point; no shell is involved.


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
