"""Stored previews: what a submission computed and an approval approves, and whether it still fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from governance.directives.models import Directive, DirectiveKind, DirectiveVersion, Effect, OnUnknown
from governance.directives.states import VersionState
from governance.enforcement import candidates
from governance.enforcement import policy as policies
from governance.enforcement.candidates import Question
from governance.enforcement.models import PreviewMember, StoredPreview
from governance.enforcement.population import POPULATION, Sql, covered_truth, from_people, reads_organisation
from governance.enforcement.preview import Candidate, Preview, compute
from governance.errors import WrongState
from governance.rules import english, language
from governance.waivers import queries as waivers

TOLERANCE_SHARE = 0.01
TOLERANCE_PEOPLE = 5


def as_json(question: Question, preview: Preview) -> dict[str, Any]:
    """The preview as CONTRACTS.md shapes it."""
    candidate = candidates.candidate(question)
    by_id = policies.current().by_id
    became = outcome_of_waivers(question, candidate)
    return {
        "reference": candidate.reference,
        "version": candidate.number,
        "fingerprint": preview.fingerprint,
        "policy_epoch": preview.policy_epoch,
        "at": preview.at.isoformat(),
        "population": preview.population,
        "covered": preview.covered,
        "unknown": preview.unknown,
        "not_covered": preview.not_covered,
        "lose_access": preview.lose_access,
        "regain_access": preview.regain_access,
        "to_verify": preview.to_verify,
        "keep_by_waiver": preview.keep_by_waiver,
        "decisions_flipped": preview.decisions_flipped,
        "lose_access_by_kind": preview.lose_access_by_kind,
        "lose_access_by_department": preview.lose_access_by_department,
        "lose_access_by_organisation": preview.lose_access_by_organisation,
        "lose_access_by_location": preview.lose_access_by_location,
        "scope": sorted(by_id[item].name for item in candidate.rule.scope if item in by_id),
        "rule_text": english.sentence(candidate.rule.rule.tree),
        "warnings": [*warnings(question, preview), *warnings_of_the_clock(candidate, preview)],
    } | ({"waivers": became} if any(became.values()) else {})


def outcome_of_waivers(question: Question, candidate: Candidate) -> dict[str, int]:
    """How many of the waivers that run now the version would keep, shorten and end, as its activation would do it."""
    if question.directive.version_in_force_id is None:
        return {}  # it never was in force: there is nothing to waive
    return waivers.outcome_of_waivers(
        question.directive, candidate.rule.scope, ends=candidate.ends_waivers, limit=candidate.waivers_end_by
    )


def warnings_of_the_clock(candidate: Candidate, preview: Preview, say: Callable[[int], str] = str) -> list[str]:
    """Figures are those at activation; a version whose time lies elsewhere needs a word beside them.

    ``say`` tells the figure that belongs to that time.
    """
    rule = candidate.rule
    if rule.expires_at is not None and rule.expires_at <= preview.at:
        return ["Its term has ended: it denies nobody, and cannot be submitted."]
    if rule.effective_at is not None and rule.effective_at > preview.at:
        later = compute(candidate, fingerprint=False, at=rule.effective_at)
        return [
            f"It takes effect on {rule.effective_at:%-d %B %Y at %H:%M %Z}: {say(later.lose_access)} people lose access "
            "then, nobody at activation."
        ]
    return []


def warnings(question: Question, preview: Preview) -> list[str]:
    """What a careful person would point out, in words: about these figures, then about what the version states."""
    statement, found = question.statement, []
    if preview.population and preview.covered == preview.population:
        found.append("The rule covers everybody.")
    if preview.covered == 0 and preview.unknown == 0:
        found.append("The rule covers nobody.")
    if statement.on_unknown_then != OnUnknown.DENY and question.directive.comply_immediately and preview.unknown:
        found.append("The order says “immediately”: letting unknown people pass needs export-control counsel.")
    if preview.regain_access:
        found.append(f"{preview.regain_access} people would regain access: an emergency activation is refused.")
    return found + warnings_of_statement(question)


def warnings_of_statement(question: Question) -> list[str]:
    """Those that need no figure, and tell none."""
    statement, found = question.statement, []
    tree = language.parse(candidates.content.expand(statement.rule))
    if language.uses_sensitive(tree) and not statement.legal_basis.strip():
        found.append("The rule uses citizenship or residency and names no legal basis; it cannot be submitted.")
    if statement.effect == Effect.MONITOR:
        found.append("Monitor: nobody is denied; decisions are as if the directive were absent.")
    return found


def preview_of(question: Question, *, fingerprint: bool = True) -> Preview:
    return compute(candidates.candidate(question), fingerprint=fingerprint)


def second_baseline(question: Question) -> dict[str, Any] | None:
    """The effect against now *without* what hides it: a pause in force, or a directive that the version replaces.

    An order that takes over from a pause ends no decision, since the pause denies everybody already; what it does by itself
    is seen only beside a present without the pause. None where nothing of the kind is in force on the same capabilities.
    """
    candidate = candidates.candidate(question)
    hiding = [
        rule
        for rule in policies.refreshed().directives
        if rule.directive_id != candidate.rule.directive_id
        and (rule.directive_id in candidate.replaces or rule.kind == DirectiveKind.PAUSE)
        and rule.scope & candidate.rule.scope
    ]
    if not hiding:
        return None
    found = compute(candidate, fingerprint=False, without=[rule.directive_id for rule in hiding])
    return {
        "without": [rule.reference for rule in hiding],
        "lose_access": found.lose_access,
        "regain_access": found.regain_access,
        "decisions_flipped": found.decisions_flipped,
    }


def _members(version: DirectiveVersion) -> Sql:
    """The ids of the people whom the version covers or to whom its rule is unknown, now."""
    rule = candidates.candidate(candidates.of_version(version)).rule.rule
    source = from_people(organisation=reads_organisation([rule]))
    return Sql(f"SELECT p.id FROM {source} WHERE {POPULATION} AND (") + covered_truth(rule) + Sql(") IS NOT FALSE")


@transaction.atomic
def store(version: DirectiveVersion) -> StoredPreview:
    """Compute and keep the preview of a submitted version with the set of people it covers or does not know.

    Both come from one statement: what is approved is the set that was counted.
    """
    forget_members(version.directive)
    question = candidates.of_version(version)
    preview = compute(candidates.candidate(question), keep=version.pk)
    return StoredPreview.objects.create(
        version=version,
        fingerprint=preview.fingerprint,
        figures=as_json(question, preview),
        released=preview.released,
        at=preview.at,
    )


def forget_members(directive: Directive) -> None:
    """Drop the stored sets that have served: of versions of the directive that wait for nothing any more."""
    waiting = directive.versions.filter(state__in=[VersionState.SUBMITTED, VersionState.APPROVED]).values("pk")
    every = directive.versions.values("pk")
    PreviewMember.objects.filter(version_id__in=every).exclude(version_id__in=waiting).delete()


@dataclass(frozen=True)
class Difference:
    """The people covered or unknown now against those of the stored preview: how many were stored, came and went."""

    stored: int
    more: int
    fewer: int

    @property
    def stale(self) -> bool:
        """More than 1 % of the set *and* at least 5 people (CONTRACTS.md, *Preview*)."""
        changed = self.more + self.fewer
        return changed >= TOLERANCE_PEOPLE and changed > self.stored * TOLERANCE_SHARE

    @property
    def text(self) -> str:
        return (
            f"{self.more} more people and {self.fewer} fewer are covered or unknown than the {self.stored} "
            "of the preview"
        )


def difference(version: DirectiveVersion) -> Difference:
    """What changed since the preview was stored; for a page beside its figures, and for what refuses a stale one."""
    members = _members(version)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM enforcement_previewmember WHERE version_id = %s),"
            " count(*) FILTER (WHERE s.person_id IS NULL), count(*) FILTER (WHERE m.id IS NULL)"
            f" FROM ({members.text}) m FULL JOIN"
            " (SELECT person_id FROM enforcement_previewmember WHERE version_id = %s) s ON s.person_id = m.id"
            " WHERE s.person_id IS NULL OR m.id IS NULL",
            [version.pk, *members.params, version.pk],
        )
        return Difference(*cursor.fetchone())


def refuse_stale(version: DirectiveVersion, *, advice: str) -> None:
    """Raise ``WrongState`` when too much changed since. An approval stays, and serves again when they fit."""
    found = difference(version)
    if found.stale:
        raise WrongState(f"The preview is stale: {found.text}. {advice}")
