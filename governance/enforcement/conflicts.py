"""Who may not decide about a directive: who wrote it, and on what would loosen it, whom it covers."""

from __future__ import annotations

from governance.accounts.actor import Actor
from governance.approvals.models import Request
from governance.approvals.services import ConflictSpec
from governance.directives import content
from governance.directives.models import Directive, DirectiveVersion, OnUnknown
from governance.directives.states import DirectiveState, VersionState
from governance.enforcement import candidates
from governance.enforcement.decision import rule_truth, subject_and_policy
from governance.enforcement.models import StoredPreview
from governance.people import queries as people
from governance.rules import language


def writers(directive: Directive, version: DirectiveVersion) -> list[ConflictSpec]:
    """Whoever wrote any of the version, or the directive it belongs to, does not approve it."""
    ids = {*version.writers, version.author_id, directive.author_id} - {None}
    return [ConflictSpec("You wrote it.", user_id=user_id) for user_id in sorted(ids, key=str)]


def covered(actor: Actor, directive: Directive, request: Request) -> str | None:
    """Nobody who is covered by a directive decides on its suspension, rescission or narrowing.

    A directive whose rule is ``true``, such as a pause, covers everybody alike; it could never end if that were a conflict
    (docs/decisions/0005). A suspended one is looked at too, and one that still waits to learn whether it covers somebody.
    """
    if request.kind in ("directive.resumption", "directive.confirmation"):
        return None
    watched = [directive]
    if request.kind.startswith("directive.activation"):
        version = directive.versions.select_related("directive", "replaces").get(state=VersionState.SUBMITTED)
        if not _narrows(directive, version):
            return None
        watched += [version.replaces] if version.replaces else []
    person = people.person_of(actor.user) if actor.user else None
    if person is None:
        return None
    subject, _ = subject_and_policy(person.pk)
    for each in watched:
        if each.state not in (DirectiveState.ACTIVE, DirectiveState.SUSPENDED) or each.version_in_force is None:
            continue
        rule = candidates.candidate(candidates.of_version(each.version_in_force)).rule
        if rule.rule.tree == language.Const(True):
            continue
        truth = rule_truth(rule, subject)
        if truth is True or (truth is None and rule.on_unknown != OnUnknown.ALLOW):
            return f"You cannot decide this one. {rule.reference} covers you."
    return None


def _narrows(directive: Directive, version: DirectiveVersion) -> bool:
    """Whether the version releases anybody, at activation or later: what gives way to it holds longer or is stricter."""
    stored = StoredPreview.objects.get(version=version)
    if stored.released or stored.figures.get("regain_access"):
        return True
    return any(
        content.ends_sooner(version, former) or content.more_lenient(version, former)
        for former in content.gives_way(directive, version)
    )
