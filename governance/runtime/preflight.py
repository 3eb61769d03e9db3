"""What is looked at before anything starts; each problem is one clear line."""

from __future__ import annotations

import os
import socket
import sys

from governance.runtime import database, paths, secrets
from governance.runtime.errors import Unusable

OLDEST_PYTHON = (3, 11)


def check() -> None:
    """Raise ``Unusable`` for a Python that is too old, an unwritable DATA_DIR, a port in use or a database out of reach."""
    if sys.version_info < OLDEST_PYTHON:
        raise Unusable(f"Python {sys.version.split()[0]} is too old; 3.11 or newer is needed.")
    paths.data_dir(os.environ.get("DATA_DIR", "var"))
    port_is_free(port())
    workers()
    url = secrets.from_environment("DATABASE_URL")
    if url:
        database.check(url)


def port() -> int:
    value = os.environ.get("PORT", "8000")
    if not value.isdecimal() or len(value) > 5 or not 0 < int(value) < 65536:
        raise Unusable(f"PORT {value} is not a port number.")
    return int(value)


def workers() -> int:
    """The number of web server processes."""
    value = os.environ.get("WEB_CONCURRENCY", "2")
    if not value.isdecimal() or not 0 < int(value) < 1000:
        raise Unusable(f"WEB_CONCURRENCY {value} is not a number of processes.")
    return int(value)


def port_is_free(number: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", number))
        except OSError:
            raise Unusable(f"Port {number} is in use. Choose another with PORT=… make run.") from None
