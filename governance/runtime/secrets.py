"""Secrets from the environment, from files (``…_FILE``), or generated once and kept under ``DATA_DIR``."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from governance.runtime.errors import Unusable


def from_environment(name: str, default: str = "") -> str:
    """The variable, or the content of the file that ``NAME_FILE`` names."""
    file = os.environ.get(f"{name}_FILE")
    if file and not os.environ.get(name):
        try:
            return Path(file).read_text().strip()
        except OSError as error:
            raise Unusable(f"{name}_FILE {file} cannot be read: {error.strerror}.") from None
    return os.environ.get(name, default)


def kept(directory: Path, name: str, length: int = 50) -> str:
    """A secret generated once and kept in ``directory/name`` with mode 0600."""
    path = directory / name
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        value = secrets.token_urlsafe(length)
        file.write(value)
    return value
