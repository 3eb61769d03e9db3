"""Who has seen it: which machine clients have asked since a directive took force.

A client that has not asked since acts on what it was told before, if it acts at all. One that has asked was answered by the
directive; whether it still holds an older answer, to another question, is for the client to say. That is the first honest answer
to *are we done?*
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from governance.accounts.models import ApiToken, Scope
from governance.directives.models import Directive
from governance.directives.states import DirectiveState


@dataclass(frozen=True)
class Gateway:
    """A machine client that may ask for decisions, and the directives in force that it has not asked since."""

    name: str
    last_at: datetime | None
    last_epoch: int | None
    not_confirmed: Sequence[Directive]

    @property
    def confirmed(self) -> bool:
        return not self.not_confirmed


def in_force() -> QuerySet[Directive]:
    return Directive.objects.filter(state=DirectiveState.ACTIVE).exclude(epoch_in_force=None).order_by("reference")


def gateways(directives: Sequence[Directive] | None = None) -> list[Gateway]:
    """Every client beside the directives in force (or those given); two queries whatever their number."""
    wanted = list(in_force()) if directives is None else list(directives)
    clients = (
        ApiToken.objects.filter(revoked_at=None, scopes__contains=[Scope.DECIDE])
        .order_by("name")
        .values_list("name", "sighting__last_at", "sighting__last_epoch")
    )
    return [
        Gateway(name, at, epoch, [one for one in wanted if epoch is None or epoch < (one.epoch_in_force or 0)])
        for name, at, epoch in clients
    ]
