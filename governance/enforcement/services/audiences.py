"""Editing an audience: what restricts takes effect at once, what may let somebody in waits while a directive is in force."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from governance.accounts.actor import Actor
from governance.catalog import changes as catalog
from governance.catalog.models import Audience
from governance.directives import content
from governance.enforcement import audiences, locks
from governance.enforcement import policy as policies
from governance.enforcement.services import changes
from governance.enforcement.services.catalog import what_loosens
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.ledger import services as ledger
from governance.rules import language
from governance.rules.language import RuleError


@transaction.atomic
def change_audience(*, actor: Actor, slug: str, rule: Any, seen: str) -> bool:
    """Give an audience another rule; returns whether it is held for a second person.

    ``seen`` is the digest of the rule that the editor read. Raises ``PermissionRefused`` for whoever is not a steward of every
    model that uses it, ``WrongState`` when it changed meanwhile or a change of it is held already, ``Invalid`` for no rule.
    """
    locks.change_people()
    audience = Audience.objects.select_for_update().filter(slug=slug).first()
    standing = audiences.standing(actor, [slug])[slug]
    if audience is None or not standing.sees:
        raise NotFound(f"There is no audience {slug}.")
    require_editor(slug, standing)
    if audiences.digest_of(audience) != seen:
        raise WrongState("The audience has changed since you read it. Read it again before you edit it.")
    change = audiences.change_of(audience, read_rule(rule))
    if change.proposed == change.before:
        raise Invalid("Nothing would change.", [("rule", "is the one on record")])
    loosens = list(what_loosens([change], policies.read(), after={slug: change.proposed["rule"]}))
    if loosens:
        changes.hold(actor=actor, changes=[change])
        return True
    catalog.put(change.what, change.key, change.proposed)
    ledger.append(
        action="audience.changed", actor=actor.name, via=actor.via, subject=f"audience:{slug}",
        data={"before": seen, "after": audiences.digest_of(Audience.objects.get(pk=audience.pk))},
    )  # fmt: skip
    ledger.publish(topic="audience.changed", key=f"audience:{slug}", payload={"id": slug})
    return False


def require_editor(slug: str, standing: audiences.Standing) -> None:
    if standing.edits:
        return
    if standing.others:
        raise PermissionRefused(
            f"The audience {slug} is used by {', '.join(standing.others)}, too. "
            "It is edited by somebody who is a steward of every model that uses it."
        )
    raise PermissionRefused(f"The audience {slug} is edited by stewards of the models that use it.")


def read_rule(rule: Any) -> Any:
    """The rule as it is kept, groups of countries as their lists."""
    try:
        return language.dump(language.parse(content.expand(rule)))
    except RuleError as error:
        raise Invalid("This is no rule yet.", [(f"rule{path[1:]}", words) for path, words in error.errors]) from None
