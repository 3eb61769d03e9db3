"""Scheduled work of the ledger."""

from __future__ import annotations

from celery import shared_task

from governance.ledger import services


@shared_task(name="ledger.seal", ignore_result=True)
def seal() -> None:
    """Seal what was committed since the last time."""
    services.seal()
