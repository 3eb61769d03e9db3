"""Scheduled: see what is to be told, write it, send it. Whatever is lost, the next turn finds in the rows again."""

from __future__ import annotations

from celery import shared_task

from governance.accounts.actor import Actor
from governance.communications import services
from governance.communications.services.planning import release_due

_TURNS = 200  # of e-mail in one task; the next tick goes on, beside whatever workers there are


@shared_task(name="communications.tell", ignore_result=True)
def tell() -> None:
    """Every few seconds."""
    system = Actor.machine("system:messages")
    services.follow(actor=system)
    release_due(actor=system)
    while services.write_some(actor=system):
        pass
    for _ in range(_TURNS):
        if not services.send_some():
            break
    while services.write_some(actor=system):  # what is through, is finished
        pass
