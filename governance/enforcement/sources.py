"""Where decisions read from: Django's connection for pages and commands, a pool of its own for the decision API.

Both run the same statements. The pool exists because Django's database wrapper costs more than the question
(docs/decisions/0007): autocommit, prepared statements, and hard limits on every wait, so that a database that is down, slow or
gone costs a caller a second and never a permit. The one statement of a decision goes past cursors too (``Link.look_up``).
"""

from __future__ import annotations

import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import psycopg
from django.db import DatabaseError, InterfaceError, connection
from psycopg import pq
from psycopg.adapt import Transformer
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout, TooManyRequests


class CannotDecide(Exception):
    """The answer cannot be computed now. Whoever asks must treat this as a denial."""


class Source(Protocol):
    """Runs one statement in one snapshot. Raises ``CannotDecide`` when the database does not answer in time."""

    @property
    def name(self) -> str: ...

    @property
    def limit(self) -> float:
        """Seconds that an answer may take."""
        ...

    def rows(self, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...

    def look_up(self, text: str, key: str) -> list[tuple[Any, ...]]:
        """``rows(text, (key,))`` for the few statements that are asked all the time, with one parameter of type text."""
        ...


def tries(source: Source) -> Iterator[None]:
    """Once for each time that a question may be asked: five, and not again once the source's limit is used up."""
    deadline = time.monotonic() + source.limit
    yield
    for _ in range(4):
        if time.monotonic() > deadline:
            return
        yield


class DjangoSource:
    """Django's connection of this thread, inside whatever transaction it is in."""

    limit = 20.0

    @property
    def name(self) -> str:
        return str(connection.settings_dict.get("NAME"))

    def rows(self, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            with connection.cursor() as cursor:
                cursor.execute(text, params)
                return cursor.fetchall()
        except (DatabaseError, InterfaceError) as error:
            raise CannotDecide(type(error).__name__) from error

    def look_up(self, text: str, key: str) -> list[tuple[Any, ...]]:
        return self.rows(text, (key,))


DJANGO = DjangoSource()


_PREPARE_AGAIN = (b"26000", b"0A000")
"""The server has the statement no more (DISCARD ALL, a pooler between), or a migration changed what it returns."""


class Link(psycopg.Connection[tuple[Any, ...]]):
    """A connection that can answer one prepared statement without a cursor: a cursor costs as much as the way to the server."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._look_ups: dict[str, bytes] = {}  # statement → its name on the server
        self._numbers = itertools.count()
        self._loading = Transformer(self)

    def look_up(self, text: str, key: str) -> list[tuple[Any, ...]]:
        """The rows of ``text`` with its one ``%s``, a text. Only for statements fixed in the code: each stays prepared.

        Raises what a cursor would raise: the psycopg error of the server's SQLSTATE, ``OperationalError`` when it is gone.
        """
        if "\x00" in key:  # libpq ends a text there, and would look up another
            raise psycopg.DataError("a NUL character is no text to PostgreSQL")
        # The wait is libpq's own, without the GIL; whoever must end it shuts the socket (``_Watch``).
        result = self.pgconn.exec_prepared(self._look_ups.get(text) or self._prepare(text), [key.encode()])
        if result.status != pq.ExecStatus.TUPLES_OK:
            if result.error_field(pq.DiagnosticField.SQLSTATE) not in _PREPARE_AGAIN:
                raise _error_of(result)
            result = self.pgconn.exec_prepared(self._prepare(text), [key.encode()])
            if result.status != pq.ExecStatus.TUPLES_OK:
                raise _error_of(result)
        self._loading.set_pgresult(result)
        return self._loading.load_rows(0, result.ntuples, tuple)

    def _prepare(self, text: str) -> bytes:
        name = f"look_up_{next(self._numbers)}".encode()
        result = self.pgconn.prepare(name, text.replace("%s", "$1").encode())
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise _error_of(result)
        self._look_ups[text] = name
        return name


def _error_of(result: pq.abc.PGresult) -> psycopg.Error:
    state = result.error_field(pq.DiagnosticField.SQLSTATE)
    kind = psycopg.errors.lookup(state.decode()) if state else psycopg.OperationalError
    return kind(result.get_error_message())


class PooledSource:
    """Connections of one process for one purpose, shared by its threads.

    ``limit`` is in seconds and bounds each wait on its own: for a free connection, for the server's work on a statement
    (``statement_timeout``), and for an answer over the wire (a server that is stopped, a network that swallows packets).
    """

    def __init__(self, conninfo: str, *, size: int, limit: float, title: str) -> None:
        self._conninfo, self._size, self.limit, self._title = conninfo, size, limit, title
        self._pool: ConnectionPool[Any] | None = None
        self._opening = threading.Lock()
        self._watch = _Watch()
        self.name = str(psycopg.conninfo.conninfo_to_dict(conninfo).get("dbname"))

    def rows(self, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._answer(_by_cursor, text, params)

    def look_up(self, text: str, key: str) -> list[tuple[Any, ...]]:
        return self._answer(Link.look_up, text, key)

    def _answer(self, ask: Callable[[Link, str, Any], list[tuple[Any, ...]]], text: str, params: Any) -> list[Any]:
        pool = self._pool or self._open()
        waiting = self._watch.waiting()
        deadline = time.monotonic() + self.limit
        # After a restart of the server every connection in the pool is broken; each is tried once, then a fresh one.
        for _ in range(self._size + 1):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            try:
                link: Any = pool.getconn(left)
            except (PoolTimeout, PoolClosed, TooManyRequests) as error:
                raise CannotDecide("no connection") from error
            key = id(link)
            # The server's own limit comes first: its refusal leaves the connection usable.
            waiting[key] = (deadline + 0.2, link)
            try:
                return ask(link, text, params)
            except psycopg.errors.QueryCanceled as error:
                raise CannotDecide("too slow") from error
            except psycopg.OperationalError:
                continue
            except psycopg.Error as error:
                raise CannotDecide(type(error).__name__) from error
            finally:
                waiting.pop(key, None)
                pool.putconn(link)
        raise CannotDecide("the database does not answer")

    def close(self) -> None:
        """Give the connections back to the server; the next question opens them again."""
        with self._opening:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close(timeout=1)

    def _open(self) -> ConnectionPool[Any]:
        with self._opening:
            if self._pool is None:
                self._pool = ConnectionPool(
                    self._conninfo,
                    connection_class=Link,
                    min_size=1,
                    max_size=self._size,
                    open=True,
                    timeout=self.limit,
                    # Give up reconnecting soon: whoever asks next tries again at once, so the pool is back as soon as the
                    # database is, instead of after an exponential pause.
                    reconnect_timeout=0.2,
                    max_lifetime=1800,
                    kwargs={
                        "autocommit": True,
                        "prepare_threshold": 0,
                        "connect_timeout": 2,
                        # Statements are few and prepared; planning a search anew each time cost as much as running it.
                        "options": f"-c jit=off -c plan_cache_mode=force_generic_plan -c TimeZone=UTC"
                        f" -c statement_timeout={int(self.limit * 1000)}",
                        "application_name": self._title,
                    },
                    name=self._title,
                )
            return self._pool


def _by_cursor(link: Link, text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    return link.execute(text, params).fetchall()


class _Watch:
    """Cuts a connection whose answer does not come: ``statement_timeout`` is the server's promise, this is ours."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[float, psycopg.Connection]] = {}
        self._pid = 0
        self._starting = threading.Lock()

    def waiting(self) -> dict[int, tuple[float, psycopg.Connection]]:
        """Where each call writes until when it waits, on which connection, and takes it out again when it has its answer."""
        if self._pid != os.getpid():
            self._start()
        return self._waiting

    def _start(self) -> None:
        with self._starting:
            if self._pid != os.getpid():
                self._waiting.clear()
                self._pid = os.getpid()
                threading.Thread(target=self._look, name="decision-watch", daemon=True).start()

    def _look(self) -> None:
        while True:
            time.sleep(0.1)
            now = time.monotonic()
            for key, (deadline, link) in list(self._waiting.items()):
                if deadline < now and self._waiting.pop(key, None) is not None:
                    _cut(link)


def _cut(link: psycopg.Connection) -> None:
    try:
        with socket.socket(fileno=os.dup(link.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)
    except (OSError, psycopg.Error):
        return  # it is gone already


def from_django_settings(settings: dict[str, Any]) -> str:
    """The connection string for Django's settings of the same database."""
    names = {"dbname": "NAME", "host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    values = {name: str(settings[key]) for name, key in names.items() if settings.get(key)}
    extra = {k: v for k, v in settings.get("OPTIONS", {}).items() if k.startswith(("ssl", "channel_", "target_"))}
    return psycopg.conninfo.make_conninfo("", **values, **extra)
