"""Where data lives, and short socket paths (the kernel allows about 100 bytes)."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from pathlib import Path
from typing import IO

from governance.runtime.errors import Unusable

_LONGEST_SOCKET = 90


def data_dir(value: str | Path) -> Path:
    """The data directory, created if needed. Raises ``Unusable`` when it cannot be written."""
    path = Path(value).expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".write-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise Unusable(f"DATA_DIR {path} cannot be written: {error.strerror or error}.") from None
    return path


_held: IO[str] | None = None


def hold(directory: Path) -> None:
    """Keep the data directory for this process alone, until it ends. Raises ``Unusable`` when another copy runs on it."""
    global _held
    file = (directory / "running").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise Unusable(
            f"Another copy runs on DATA_DIR {directory}. Stop it, or choose another with DATA_DIR=…."
        ) from None
    _held = file  # the lock goes when the file is closed


def socket_path(directory: Path, name: str) -> Path:
    """``directory/name`` if that is short enough for a socket, else a directory of its own in the temporary one."""
    path = directory / name
    if len(str(path)) <= _LONGEST_SOCKET:
        return path
    short = hashlib.sha256(str(directory).encode()).hexdigest()[:16]
    place = Path(tempfile.gettempdir()) / f"portcullis-{os.getuid()}-{short}"
    place.mkdir(mode=0o700, exist_ok=True)
    return place / name
