"""The append-only record, its seals and signed tree heads, and the outbox.

Entries name people and accounts in text, without foreign keys: history outlives them. What an entry says stands once, as
canonical JSON in ``record``; the columns beside it are copies for finding it, and ``verify`` compares them.
"""

from __future__ import annotations

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

_REFUSE = "RAISE EXCEPTION 'the ledger is append-only';"


def _append_only(name: str) -> list[pgtrigger.Trigger]:
    return [
        pgtrigger.Trigger(
            name=f"{name}_append_only",
            when=pgtrigger.Before,
            operation=pgtrigger.Update | pgtrigger.Delete,
            func=_REFUSE,
        ),
        pgtrigger.Trigger(
            name=f"{name}_no_truncate",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
            func=_REFUSE,
        ),
    ]


class Entry(models.Model):
    """One thing that mattered: who, what, about what, when. Immutable from its insertion."""

    # The transaction that wrote it (a trigger sets it): the sealer takes entries in (xid, id) order.
    xid = models.BigIntegerField(default=0)
    at = models.DateTimeField()
    action = models.CharField(max_length=60)
    actor = models.CharField(max_length=150)
    subject = models.CharField(max_length=120)
    also = ArrayField(models.CharField(max_length=120), default=list)
    record = models.TextField()
    digest = models.BinaryField()

    class Meta:
        indexes = [
            models.Index(fields=["subject", "-id"], name="entry_subject"),
            models.Index(fields=["-at", "-id"], name="entry_at"),
            models.Index(fields=["xid", "id"], name="entry_order"),
            GinIndex(fields=["also"], name="entry_also"),
        ]
        triggers = [
            # The digest is the database's own (RFC 6962 leaf hash of the record), so that a row cannot come in with another.
            pgtrigger.Trigger(
                name="entry_digest",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func="""
                    NEW.xid = pg_current_xact_id()::text::bigint;
                    NEW.digest = sha256('\\x00'::bytea || convert_to(NEW.record, 'UTF8'));
                    RETURN NEW;
                """,
            ),
            *_append_only("entry"),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.action} {self.subject}"


class Seal(models.Model):
    """An entry's place in the one total order; position 0 is the first leaf of the tree."""

    position = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="seal")

    class Meta:
        triggers = _append_only("seal")

    def __str__(self) -> str:
        return str(self.position)


class TreeHead(models.Model):
    """A signed statement of the tree: its size and root (RFC 6962), signed with Ed25519.

    ``frontier`` holds the roots of the tree's complete subtrees, largest first, so that sealing more entries costs only them.
    """

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()
    frontier = ArrayField(models.BinaryField())
    at = models.DateTimeField()
    key_id = models.CharField(max_length=16)
    signature = models.BinaryField()

    class Meta:
        triggers = _append_only("tree_head")

    def __str__(self) -> str:
        return f"tree of {self.size}"


class OutboxEvent(models.Model):
    """An event for systems outside, written in the transaction of the change it tells of."""

    xid = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    topic = models.CharField(max_length=60)
    key = models.CharField(max_length=120)
    payload = models.JSONField()

    class Meta:
        indexes = [models.Index(fields=["xid", "id"], name="outbox_order")]
        constraints = [models.CheckConstraint(name="outbox_topic", condition=~Q(topic=""))]
        triggers = [
            pgtrigger.Trigger(
                name="outbox_stamp",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func="NEW.xid = pg_current_xact_id()::text::bigint; RETURN NEW;",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.key}"
