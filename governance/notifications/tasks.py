"""Scheduled: read the outbox, send what is due. Whatever is lost, the next turn finds in the rows again."""

from __future__ import annotations

from celery import shared_task

from governance.notifications import services


@shared_task(name="notifications.tell", ignore_result=True)
def tell() -> None:
    """Every few seconds."""
    while services.read_outbox() == services.EVENTS:
        pass
    while services.send_mail() == services.MAILS:
        pass
