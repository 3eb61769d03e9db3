"""Held changes of the catalog and of roles in words: what each is about, what is on record, what is proposed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from governance.accounts.rights import RIGHTS, ROLES
from governance.catalog.changes import What
from governance.enforcement.held_models import HeldChange, kind_in_words
from governance.rules import english, language


def title(held: HeldChange) -> str:
    return kind_in_words(held.what)


def sides(held: HeldChange) -> tuple[str, str]:
    """What was on record when it was proposed, and what is proposed."""
    return _side(held.what, held.before), _side(held.what, held.proposed)


def rights_gained(held: HeldChange, deciding: Collection[str]) -> list[str]:
    """What an account could do by the proposed roles and cannot by those before. ``deciding``: roles that policies name."""
    had, would = set(held.before["roles"]), set(held.proposed["roles"])
    before, after = ({right for role in roles for right in ROLES.get(role, ())} for roles in (had, would))
    stages = [
        f"Decide in the stages of approvals that name the role {role}" for role in sorted((would - had) & {*deciding})
    ]
    return [label for right, label in RIGHTS.items() if right in after - before] + stages


def _side(what: str, state: Mapping[str, Any]) -> str:
    match what:
        case What.AUDIENCE:
            return english.sentence(language.parse(state["rule"]))
        case What.ITEM:
            audience = f"audience {state['audience']}" if state["audience"] else "no audience"
            return f"{'enabled' if state['enabled'] else 'not enabled'}, {audience}"
        case What.LINEAGE:
            return f"derives from {state['derived_from']}" if state["derived_from"] else "derives from no other model"
        case What.TIER:
            return f"tier {state['tier']}"
        case What.PROVIDER:
            return (
                "our own: its models are decided on" if state["own"] else "another’s: its models are never decided on"
            )
        case What.MODEL_PROVIDER:
            return f"of {state['provider']}"
    return ", ".join(state["roles"]) or "no role"
