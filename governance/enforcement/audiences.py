"""Audiences as their editors see them: who uses each, who may edit it, and what another rule would turn."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from governance.accounts import objects
from governance.accounts.actor import Actor
from governance.catalog.changes import Change, What
from governance.catalog.models import AIModel, Audience, ModelCapability
from governance.enforcement import turns
from governance.enforcement.models import HeldChange
from governance.enforcement.policy import Raw
from governance.enforcement.turns import Turns
from governance.rules import language


@dataclass(frozen=True)
class Standing:
    """What an account may do with an audience. ``others``: the models that use it and of which it is no steward."""

    sees: bool
    edits: bool
    others: tuple[str, ...] = ()


def using(slugs: Collection[str]) -> dict[str, dict[str, list[str]]]:
    """For each audience the models that use it, or would by what is held, with the capabilities."""
    found: dict[str, dict[str, list[str]]] = {slug: {} for slug in slugs}
    items = ModelCapability.objects.filter(audience__slug__in=slugs).values_list(
        "audience__slug", "model__slug", "capability__slug"
    )
    held = [
        (change.proposed["audience"], *change.key.split("/"))
        for change in HeldChange.objects.filter(what=What.ITEM)
        if change.proposed["audience"] in found
    ]
    for slug, model, capability in sorted({*items, *held}):
        found[slug].setdefault(model, []).append(capability)
    return found


def stewarded(actor: Actor) -> QuerySet[AIModel]:
    if actor.user is None:
        return AIModel.objects.none()
    return objects.objects_for(actor.user, objects.STEWARD, AIModel)


def standing(actor: Actor, slugs: Collection[str]) -> dict[str, Standing]:
    """Whoever may load the catalog edits every audience, and a steward those that no other model uses than theirs."""
    own = set(stewarded(actor).values_list("slug", flat=True))
    everything, views = actor.has("manage_catalog"), actor.has("view_directives")
    found = {}
    for slug, models in using(slugs).items():
        others = tuple(sorted(set(models) - own))
        of_them = len(others) < len(models)
        found[slug] = Standing(
            sees=everything or views or of_them,
            edits=everything or (of_them and not others),
            others=others if of_them and not everything else (),
        )
    return found


def digest_of(audience: Audience) -> str:
    """What an editor has read: another rule has another one."""
    return hashlib.sha256(language.canonical(audience.rule)).hexdigest()


def change_of(audience: Audience, rule: Any) -> Change:
    return Change(What.AUDIENCE, audience.slug, {"rule": audience.rule}, {"rule": rule})


def effect(audience: Audience, rule: Any) -> Turns:
    """What another rule in the place of the present one, and of one that is held, would turn. Writes nothing."""
    proposed: Mapping[str, Any] = {"rule": rule}

    def ask(raw: Raw) -> list[turns.Pair]:
        return [(raw.policy(), raw.policy(raw.catalog.with_change(What.AUDIENCE, audience.slug, proposed)))]

    return turns.between(ask)[0]
