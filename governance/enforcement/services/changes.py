"""Changes of the catalog and of roles that loosen: held when they are proposed, decided by a second person.

Everything here is done with the people lock held alone, like imports and activations: what was judged to loosen against the
directives in force is written before another one takes force.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DatabaseError, transaction

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.catalog import changes as catalog
from governance.catalog.changes import Change
from governance.enforcement import turns
from governance.enforcement.held_models import ROLES, kind_in_words
from governance.enforcement.models import HeldChange, HeldChangeVerdict
from governance.enforcement.policy import Raw
from governance.enforcement.turns import Turns
from governance.errors import PermissionRefused, WrongState
from governance.ledger import services as ledger
from governance.rules import language

Accounts = Mapping[str, User]
"""Accounts by their e-mail addresses in small letters."""


# An administrator decides about roles that another one gives; about nothing else that is held.
_RIGHTS = {ROLES: ("confirm_held", "administer")}


def may_decide(actor: Actor, what: str) -> bool:
    """Whether the actor has the right to decide about held changes of this kind, conflicts aside."""
    return any(actor.has(right) for right in _RIGHTS.get(what, ("confirm_held",)))


def confirmers() -> Accounts:
    """Active accounts that may decide about held changes of the catalog."""
    found = User.objects.filter(
        is_active=True,
        groups__permissions__codename="confirm_held",
        groups__permissions__content_type__app_label="accounts",
        groups__permissions__content_type__model="right",
    )
    return {user.email.lower(): user for user in found.distinct()}


@transaction.atomic
def hold(*, actor: Actor, changes: Sequence[Change]) -> list[HeldChange]:
    """Have changes of the catalog wait for a second person. The caller has judged that they loosen, and holds the people lock.

    Raises ``WrongState`` where one of the same thing waits already.
    """
    refuse_held_already([(change.what, change.key) for change in changes])
    accounts = confirmers()
    gains = turns.between(lambda raw: [pair for change in changes for pair in _to_come(raw, change)], accounts)
    found = []
    for at, change in enumerate(changes):
        to = _in_particular(gains[2 * at].to | gains[2 * at + 1].to, accounts, actor.name)
        found.append(
            write(
                actor=actor,
                what=change.what,
                key=change.key,
                before=change.before,
                proposed=change.proposed,
                parties=sorted(accounts[address].pk for address in to),
            )
        )
    return found


def write(
    *,
    actor: Actor,
    what: str,
    key: str,
    before: Mapping[str, Any],
    proposed: Mapping[str, Any],
    parties: Sequence[int] = (),
) -> HeldChange:
    held = HeldChange.objects.create(
        what=what, key=key, before=before, proposed=proposed, parties=list(parties), proposed_by=actor.name,
        proposed_via=actor.via,
    )  # fmt: skip
    _record(actor, held, "proposed")
    return held


def _to_come(raw: Raw, change: Change) -> list[turns.Pair]:
    """What confirming would turn, from now; and what dropping it would, from the state in which it is held."""
    held = raw.policy(raw.catalog.with_held(change.what, change.key, change.proposed))
    after = raw.policy(raw.catalog.with_change(change.what, change.key, change.proposed))
    return [(raw.policy(), after), (held, raw.policy())]


def refuse_held_already(names: Sequence[tuple[str, str]]) -> None:
    keys = {key for _, key in names}
    waiting = [
        pair for pair in HeldChange.objects.filter(key__in=keys).values_list("what", "key") if pair in set(names)
    ]
    if waiting:
        what, key = waiting[0]
        raise WrongState(
            f"A change of {named(what, key)} is held already. Somebody has to confirm or refuse that one first."
        )


def named(what: str, key: str) -> str:
    """*the audience x*, *the tier of a capability y*."""
    return f"the {kind_in_words(what).lower()} {key}"


def _in_particular(to: frozenset[str], accounts: Accounts, proposed_by: str) -> frozenset[str]:
    """Those who may not decide because they gain. Where all who could would gain, none gains in particular.

    Such a change opens something to everybody alike, and could else never be decided (docs/decisions/0015).
    """
    could = {address for address, user in accounts.items() if user.username != proposed_by}
    return to if could - to else frozenset()


# -- deciding ----------------------------------------------------------------------------------------------------------


def effects(held: Sequence[HeldChange], addresses: Sequence[str] = ()) -> dict[int, tuple[Turns, Turns]]:
    """What confirming and what refusing each of these would turn, by the number of the change. One statement."""
    of_catalog = [change for change in held if change.what in catalog.What.values]

    def ask(raw: Raw) -> list[turns.Pair]:
        now, found = raw.policy(), []
        for change in of_catalog:
            found.append((now, raw.policy(raw.catalog.with_change(change.what, change.key, change.proposed))))
            found.append((now, raw.policy(raw.catalog.without_held(change.what, change.key))))
        return found

    turned = turns.between(ask, addresses) if of_catalog else []
    return {change.pk: (turned[2 * at], turned[2 * at + 1]) for at, change in enumerate(of_catalog)}


def why_not(actor: Actor, held: HeldChange, effect: tuple[Turns, Turns], accounts: Accounts) -> str | None:
    """The conflict that keeps an account from deciding; None if nothing does. ``effect`` was asked for ``accounts``."""
    user = actor.user
    assert user is not None
    own_hands = actor.via and not user.is_demo and actor.via in (held.proposed_by, held.proposed_via)
    if held.proposed_by == user.username or own_hands:
        return "You cannot decide this one. You proposed it."
    if held.what == ROLES:
        return "You cannot decide this one. It is about you." if user.pk in held.parties else None
    gains = _in_particular(effect[0].to | effect[1].to, accounts, held.proposed_by)
    if user.pk in held.parties or user.email.lower() in gains:
        return "You cannot decide this one. It would give you access, now or since it was proposed."
    return None


def settle(*, actor: Actor, user: User, held: HeldChange, confirmed: bool) -> None:
    """Carry out what a second person decided, once it is known that nothing keeps them from it. Holds the people lock.

    Roles are given by the caller: they are above what is known here.
    """
    HeldChangeVerdict.objects.create(
        change=held.pk, what=held.what, key=held.key, confirmed=confirmed, proposed_by=held.proposed_by,
        proposed_at=held.proposed_at, decided_by=user, via=actor.via,
    )  # fmt: skip
    if confirmed and held.what != ROLES:
        _put(held)
    _record(actor, held, "confirmed" if confirmed else "refused")
    held.delete()


def refuse_conflict(actor: Actor, held: HeldChange) -> None:
    accounts = confirmers()
    conflict = why_not(actor, held, effects([held], list(accounts)).get(held.pk, (Turns(), Turns())), accounts)
    if conflict is not None:
        raise PermissionRefused(conflict)


def _put(held: HeldChange) -> None:
    if catalog.present(held.what, held.key) != held.before:
        raise WrongState(
            f"What is on record of {named(held.what, held.key)} has changed since this was proposed. "
            "Refuse it, and have it proposed again."
        )
    try:
        with transaction.atomic():
            catalog.put(held.what, held.key, held.proposed)
    except (DatabaseError, KeyError):  # a lineage that would close a circle by now, or something that is gone
        raise WrongState("It does not fit what is on record by now. Refuse it, and have it proposed again.") from None


def _record(actor: Actor, held: HeldChange, act: str) -> None:
    """The ledger has digests of the states: whoever has the states can prove them."""
    digests = {
        name: hashlib.sha256(language.canonical(getattr(held, name))).hexdigest() for name in ("before", "proposed")
    }
    ledger.append(
        action=f"held_change.{act}", actor=actor.name, via=actor.via, subject=held.subject,
        data={"what": held.what, "proposed_by": held.proposed_by, **digests},
    )  # fmt: skip
    ledger.publish(
        topic=f"held_change.{act}", key=held.subject,
        payload={"what": held.what, "id": held.key, "proposed_by": held.proposed_by, "by": actor.name},
    )  # fmt: skip
