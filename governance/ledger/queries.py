"""Reads of the ledger."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from governance.ledger.models import Entry


def timeline(subject: str) -> QuerySet[Entry]:
    """The entries about a subject, or that name it beside theirs, newest first, with their seals."""
    return Entry.objects.filter(Q(subject=subject) | Q(also__contains=[subject])).select_related("seal").order_by("-id")
