"""Reads of the ledger."""

from __future__ import annotations

from django.db import connection
from django.db.models import Q, QuerySet

from governance.ledger.models import Entry, OutboxEvent


def timeline(subject: str) -> QuerySet[Entry]:
    """The entries about a subject, or that name it beside theirs, newest first, with their seals."""
    return Entry.objects.filter(Q(subject=subject) | Q(also__contains=[subject])).select_related("seal").order_by("-id")


def settled_after(xid: int, event: int, most: int) -> list[OutboxEvent]:
    """The next events of the outbox in the order of their transactions: those that nothing can come before any more."""
    after = Q(xid__gt=xid) | Q(xid=xid, pk__gt=event)
    return list(OutboxEvent.objects.filter(after, xid__lt=horizon()).order_by("xid", "pk")[:most])


def horizon() -> int:
    """What is older than every running transaction: nothing can come before it any more."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        found: int = cursor.fetchone()[0]
    return found
