"""Steps that tests of a directive's life share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from governance.approvals.models import Request
from governance.directives import services as directives
from governance.directives.content import DirectiveStatement, VersionStatement
from governance.directives.models import Directive
from governance.enforcement.services import lifecycle
from tests.conftest import REFERENCE

WIDER = {"not": {"attr": "person.citizenships", "op": "includes_all", "value": ["US"]}}
NARROWER = {"not": {"attr": "person.citizenships", "op": "includes_any", "value": ["US", "CN"]}}


def find(reference: str = REFERENCE) -> Directive:
    return Directive.objects.get(reference=reference)


def states(reference: str = REFERENCE) -> list[tuple[int, str]]:
    return [(v.number, str(v.state)) for v in find(reference).versions.order_by("number")]


def change(act_as: Any, *, who: str = "anjali", reference: str = REFERENCE, **changes: Any) -> None:
    """Edit the draft."""
    statement = VersionStatement.of(directives.draft_of(find(reference)))
    changed = VersionStatement(**{**statement.__dict__, **changes})
    directives.edit_draft(actor=act_as(who), reference=reference, statement=changed)


def new_version(act_as: Any, *, who: str = "anjali", reference: str = REFERENCE, **changes: Any) -> None:
    directives.draft_new_version(actor=act_as(who), reference=reference)
    if changes:
        change(act_as, who=who, reference=reference, **changes)


def submit(act_as: Any, who: str = "lucia", reference: str = REFERENCE) -> Request:
    return lifecycle.submit(actor=act_as(who), reference=reference)


def vote(act_as: Any, who: str = "peter", verdict: str = "approve", reference: str = REFERENCE) -> Any:
    return lifecycle.vote(actor=act_as(who), reference=reference, verdict=verdict)


def activate(act_as: Any, who: str = "lucia", reference: str = REFERENCE) -> Any:
    return lifecycle.activate(actor=act_as(who), reference=reference)


def emergency(act_as: Any, who: str = "lucia", reference: str = REFERENCE) -> Any:
    return lifecycle.activate(actor=act_as(who), reference=reference, emergency=True, reason="at once")


def ask(act_as: Any, act: str, who: str = "lucia", reference: str = REFERENCE) -> Request:
    return lifecycle.ask(actor=act_as(who), reference=reference, act=act, reason="x")


def approved(act_as: Any, reference: str = REFERENCE) -> None:
    """The draft submitted and approved."""
    submit(act_as, reference=reference)
    vote(act_as, reference=reference)


def pause(act_as: Any, *, replaced: bool = False, name: str = "PAUSE-1", reference: str = REFERENCE) -> None:
    """A pause in force and confirmed; ``replaced``: the draft of the other directive takes its place."""
    scope = VersionStatement.of(directives.draft_of(find(reference))).scope
    stated = VersionStatement(rule=True, scope=scope, waivable="never")
    directives.create_directive(
        actor=act_as("anjali"), statement=DirectiveStatement(name, "Pause", kind="pause", version=stated)
    )
    emergency(act_as, reference=name)
    vote(act_as, "idris", reference=name)
    if replaced:
        change(act_as, reference=reference, replaces_id=find(name).pk)


def end_term(reference: str = REFERENCE) -> None:
    """Let the term of the version in force have ended a second ago, past the triggers that keep its content."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE directives_directiveversion SET expires_at = now() - %s WHERE id = %s",
            [timedelta(seconds=1), find(reference).version_in_force_id],
        )
        cursor.execute("UPDATE enforcement_policyepoch SET value = nextval('enforcement_policy_epoch')")
        cursor.execute("SET LOCAL session_replication_role = origin")
