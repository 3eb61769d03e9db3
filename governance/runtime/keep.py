"""Keeps one program running: starts it again when it dies by itself, and ends with whoever started this.

``python -m governance.runtime.keep NAME COMMAND…``. A worker that is killed comes back within a second; its chunk was never
lost (docs/decisions/0001).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from types import FrameType

import psutil

_PR_SET_PDEATHSIG = 1
_FAST = 2.0


def end_with_parent() -> None:
    """Ask the kernel for a SIGTERM when the parent dies (Linux); elsewhere the next start tidies up."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait(child: subprocess.Popen[bytes]) -> int | None:
    """The child's exit code, or None when the supervisor is gone: then the child is ended too."""
    supervisor = int(os.environ.get("SUPERVISOR_PID", "0"))
    while True:
        try:
            return child.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            if supervisor and not psutil.pid_exists(supervisor):
                child.terminate()
                child.wait()
                return None


def main(command: list[str]) -> int:
    end_with_parent()
    stopping = False
    child: subprocess.Popen[bytes] | None = None

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        if child is not None and child.poll() is None:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides; a terminal sends Ctrl-C to everybody
    pause = 0.2
    while not stopping:
        began = time.monotonic()
        child = subprocess.Popen(command, preexec_fn=end_with_parent)
        code = _wait(child)
        if stopping or code is None:
            break
        print(f"ended with {code}; starting again", flush=True)
        pause = 0.2 if time.monotonic() - began > _FAST else min(pause * 2, 10.0)
        time.sleep(pause)
    return 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main(sys.argv[1:]))
