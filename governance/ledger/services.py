"""Appending to the ledger and the outbox, sealing what was committed, and verifying all of it.

Writers never wait for one another: an entry is one INSERT in the writer's own transaction. A sealer later puts committed
entries into one order (docs/decisions/0002).
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785
from django.db import connection, transaction

from governance.ledger import keys
from governance.ledger.context import request_id
from governance.ledger.merkle import Frontier, leaf_hash
from governance.ledger.models import Entry, OutboxEvent, TreeHead

_SENSITIVE = re.compile(r"citizenship|national(?:ity)?|permanent_residen|protected_status|residence", re.IGNORECASE)
_SEALER = 5_210_613


def append(
    *,
    action: str,
    actor: str,
    subject: str,
    data: Mapping[str, Any] | None = None,
    also: Sequence[str] = (),
    via: str = "",
    on_behalf_of: str = "",
) -> Entry:
    """Append one entry in the caller's transaction.

    ``data`` is small JSON with references only. Raises ``ValueError`` for a member named after a sensitive attribute and
    ``RuntimeError`` outside a transaction: an entry belongs to the change it tells of.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("a ledger entry is written in the transaction of its change")
    _refuse_sensitive(data or {})
    at = _clock()
    record: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "at": at.astimezone(UTC).isoformat(),
        "actor": actor,
        "via": via,
        "on_behalf_of": on_behalf_of,
        "action": action,
        "subject": subject,
        "also": list(also),
        "data": dict(data or {}),
        "request_id": request_id(),
    }
    return Entry.objects.create(
        at=at,
        action=action,
        actor=actor,
        subject=subject,
        also=list(also),
        record=rfc8785.dumps(record).decode(),
        digest=b"",  # the database sets it
    )


def publish(*, topic: str, key: str, payload: Mapping[str, Any]) -> OutboxEvent:
    """Put one event into the outbox, in the caller's transaction."""
    if not connection.in_atomic_block:
        raise RuntimeError("an outbox event is written in the transaction of its change")
    _refuse_sensitive(payload)
    return OutboxEvent.objects.create(created_at=_clock(), topic=topic, key=key, payload=dict(payload))


def _clock() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def _refuse_sensitive(data: Any) -> None:
    if isinstance(data, Mapping):
        for name, value in data.items():
            if _SENSITIVE.search(str(name)):
                raise ValueError(f"{name} may not stand in the ledger")
            _refuse_sensitive(value)
    elif isinstance(data, list | tuple):
        for value in data:
            _refuse_sensitive(value)


# -- sealing -----------------------------------------------------------------------------------------------------------

# Entries of transactions below the oldest one still running are final: nothing committed later can come before them.
_SEAL = """
WITH fresh AS (
    SELECT e.id, e.xid, e.digest FROM ledger_entry e LEFT JOIN ledger_seal s ON s.entry_id = e.id
     WHERE s.entry_id IS NULL AND e.xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
     ORDER BY e.xid, e.id LIMIT %s),
placed AS (
    INSERT INTO ledger_seal (position, entry_id)
    SELECT %s + row_number() OVER (ORDER BY xid, id) - 1, id FROM fresh RETURNING position, entry_id)
SELECT placed.position, fresh.digest FROM placed JOIN fresh ON fresh.id = placed.entry_id ORDER BY placed.position
"""


def seal(limit: int = 200_000) -> int:
    """Give committed entries their places and sign the new tree head; returns how many were sealed.

    One sealer works at a time; another returns 0 at once. Running it again seals nothing twice.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SEALER])
        if not cursor.fetchone()[0]:
            return 0
        head = TreeHead.objects.order_by("-size").first()
        frontier = Frontier(head.size, [bytes(part) for part in head.frontier]) if head else Frontier()
        start = frontier.size
        cursor.execute(_SEAL, [limit, start])
        for _, digest in cursor.fetchall():
            frontier.add(bytes(digest))
        if frontier.size > start:
            _sign(frontier)
        return frontier.size - start


def _sign(frontier: Frontier) -> None:
    key = keys.signing_key()
    at, identity = _clock(), keys.key_id(key.public_key())
    message = head_message(frontier.size, frontier.root(), at, identity)
    TreeHead.objects.create(
        size=frontier.size,
        root=frontier.root(),
        frontier=frontier.roots,
        at=at,
        key_id=identity,
        signature=key.sign(message),
    )


def head_message(size: int, root: bytes, at: datetime, key_id: str) -> bytes:
    """The canonical JSON (RFC 8785) that a tree head's signature is over."""
    return rfc8785.dumps(
        {
            "key_id": key_id,
            "root": bytes(root).hex(),
            "size": size,
            "timestamp": at.astimezone(UTC).isoformat(),
        }
    )


# -- verification ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VerifyReport:
    """``first_bad`` names the first entry (``entry:ID``), place (``position:N``) or head (``head:SIZE``) that does not fit."""

    ok: bool
    entries: int
    tree_size: int
    root: str
    first_bad: str | None

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "entries": self.entries,
            "tree_size": self.tree_size,
            "root": self.root,
            "first_bad": self.first_bad,
        }


_READ = """
SELECT s.position, e.id, e.at, e.action, e.actor, e.subject, e.also, e.record, e.digest
  FROM ledger_seal s LEFT JOIN ledger_entry e ON e.id = s.entry_id ORDER BY s.position
"""
_READ_UNSEALED = """
SELECT NULL, e.id, e.at, e.action, e.actor, e.subject, e.also, e.record, e.digest
  FROM ledger_entry e LEFT JOIN ledger_seal s ON s.entry_id = e.id WHERE s.entry_id IS NULL ORDER BY e.id
"""


def verify() -> VerifyReport:
    """Recompute every digest, the order, the tree and every head's signature from what is stored."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            if connection.in_atomic_block and len(connection.savepoint_ids) == 0:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SELECT count(*) FROM ledger_entry")
            entries = cursor.fetchone()[0]
        heads = {head.size: head for head in TreeHead.objects.all()}
        frontier, bad = Frontier(), None
        for position, row in enumerate(_rows(_READ)):
            bad = bad or _bad_place(position, row) or _bad_entry(row)
            frontier.add(bytes(row[8]) if row[8] is not None else b"")
            head = heads.pop(frontier.size, None)
            if head is not None:
                bad = bad or _bad_head(head, frontier)
        if heads:
            bad = bad or f"head:{min(heads)}"
        newest = TreeHead.objects.order_by("-size").values_list("size", flat=True).first() or 0
        if newest != frontier.size:
            bad = bad or f"position:{min(newest, frontier.size)}"
        for row in _rows(_READ_UNSEALED):
            bad = bad or _bad_entry(row)
    return VerifyReport(bad is None, entries, frontier.size, frontier.root().hex(), bad)


def _rows(statement: str) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        while rows := cursor.fetchmany(5_000):
            yield from rows


def _bad_place(position: int, row: tuple[Any, ...]) -> str | None:
    return None if row[0] == position and row[1] is not None else f"position:{position}"


def _bad_entry(row: tuple[Any, ...]) -> str | None:
    _, entry_id, at, action, actor, subject, also, record, digest = row
    if leaf_hash(record.encode()) != bytes(digest):
        return f"entry:{entry_id}"
    try:
        stated = json.loads(record)
        same = (
            stated["action"] == action
            and stated["actor"] == actor
            and stated["subject"] == subject
            and stated["also"] == list(also)
            and datetime.fromisoformat(stated["at"]) == at
        )
    except (ValueError, KeyError, TypeError, RecursionError):  # no record that this product wrote
        same = False
    return None if same else f"entry:{entry_id}"


def _bad_head(head: TreeHead, frontier: Frontier) -> str | None:
    public = keys.signing_key().public_key()
    message = head_message(head.size, bytes(head.root), head.at, head.key_id)
    fits = (
        bytes(head.root) == frontier.root()
        and [bytes(part) for part in head.frontier] == frontier.roots
        and head.key_id == keys.key_id(public)
        and keys.signature_fits(public, bytes(head.signature), message)
    )
    return None if fits else f"head:{head.size}"
