"""Who may not decide about a directive: who wrote it, and on what would loosen it, whom it covers."""

from __future__ import annotations

from collections.abc import Sequence

from governance.accounts.models import User
from governance.approvals import queries as approvals
from governance.approvals.models import Request
from governance.approvals.services import ConflictSpec, Relations
from governance.directives import content
from governance.directives.models import Directive, DirectiveVersion, OnUnknown
from governance.directives.states import DirectiveState, VersionState
from governance.enforcement import candidates
from governance.enforcement.decision import rule_truth, subject_and_policy
from governance.enforcement.models import StoredPreview
from governance.enforcement.policy import DirectiveRule
from governance.enforcement.population import Sql, covered_truth, from_people, reads_organisation
from governance.enforcement.sources import DJANGO
from governance.people import queries as people
from governance.rules import language


def writers(directive: Directive, version: DirectiveVersion) -> list[ConflictSpec]:
    """Whoever wrote any of the version, or the directive it belongs to, does not approve it."""
    ids = {*version.writers, version.author_id, directive.author_id} - {None}
    return [ConflictSpec("You wrote it.", user_id=user_id) for user_id in sorted(ids, key=str)]


def covered(user: User | None, directive: Directive, request: Request, on_behalf_of: User | None) -> str | None:
    """Nobody who is covered by a directive decides on its suspension, rescission or narrowing, nor anybody for them: asked again
    at the vote.

    A directive whose rule is ``true``, such as a pause, covers everybody alike; it could never end if that were a conflict
    (docs/decisions/0005). A suspended one is looked at too, and one that still waits to learn whether it covers somebody.
    """
    if user is None:
        return None
    version = None
    if request.kind.startswith("directive.activation"):
        version = directive.versions.select_related("directive", "replaces").get(state=VersionState.SUBMITTED)
    rules = _watched(directive, request.kind, version)
    found = _covers(rules, user)
    if found is not None:
        return f"You cannot decide this one. {found.reference} covers you."
    if on_behalf_of is not None and _covers(rules, on_behalf_of) is not None:
        # Not why: that a directive covers somebody is theirs to know.
        return f"You cannot decide this one. You decide for {on_behalf_of}, who may not decide it, and count as them."
    return None


def _covers(rules: Sequence[DirectiveRule], user: User) -> DirectiveRule | None:
    """The first of the rules that covers the account's person, or may once they have verified."""
    person = people.person_of(user)
    if person is None or not rules:
        return None
    subject, _ = subject_and_policy(person.pk)
    for rule in rules:
        truth = rule_truth(rule, subject)
        if truth is True or (truth is None and rule.on_unknown != OnUnknown.ALLOW):
            return rule
    return None


def covered_approvers(
    directive: Directive, kind: str, version: DirectiveVersion | None = None, *, related: Relations | None = None
) -> list[ConflictSpec]:
    """The approvers, by role or by a relation to it (``related``), whom it covers when it is asked for: kept with the request.

    So a request that no approver could decide is refused at once, nobody is shown what they cannot decide, and a change of
    somebody's address or record while it is open does not make an approver of them.
    """
    by_relation = User.objects.filter(pk__in={pk for ids in (related or {}).values() for pk in ids})
    addresses = {user.email.lower(): user.pk for user in (*approvals.approvers(kind), *by_relation)}
    found = []
    for rule in _watched(directive, kind, version):
        truth = covered_truth(rule.rule)
        known = Sql("coalesce(") + truth + Sql(", %s)", (rule.on_unknown != OnUnknown.ALLOW,))
        source = from_people(organisation=reads_organisation([rule.rule]))
        statement = (
            Sql(f"SELECT lower(p.email) FROM {source} WHERE lower(p.email) = ANY(%s) AND ", (list(addresses),)) + known
        )
        found += [
            ConflictSpec(f"{rule.reference} covers you.", user_id=addresses[address])
            for (address,) in DJANGO.rows(statement.text, statement.params)
        ]
    return found


def _watched(directive: Directive, kind: str, version: DirectiveVersion | None) -> list[DirectiveRule]:
    """The rules in force or suspended that a request would loosen; none where it only restricts."""
    if kind in ("directive.resumption", "directive.confirmation"):
        return []
    watched = [directive]
    if version is not None:
        if not _narrows(directive, version):
            return []
        watched += [version.replaces] if version.replaces else []
    rules = [
        candidates.candidate(candidates.of_version(each.version_in_force)).rule
        for each in watched
        if each.state in (DirectiveState.ACTIVE, DirectiveState.SUSPENDED) and each.version_in_force is not None
    ]
    return [rule for rule in rules if rule.rule.tree != language.Const(True)]


def _narrows(directive: Directive, version: DirectiveVersion) -> bool:
    """Whether the version releases anybody, at activation or later: what gives way to it holds longer or is stricter."""
    stored = StoredPreview.objects.get(version=version)
    if stored.released or stored.figures.get("regain_access"):
        return True
    return any(
        content.ends_sooner(version, former) or content.more_lenient(version, former)
        for former in content.gives_way(directive, version)
    )
