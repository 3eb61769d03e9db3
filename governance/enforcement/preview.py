"""The preview: the exact effect a version would have now, computed by the same compiled SQL that enforces.

One statement visits everybody once. A person's truths (the version's rule, each audience, each other directive) are
computed first; model capabilities that share audience and directives are then counted together, and only people
with waivers or grants are looked at capability by capability.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from governance.enforcement.policy import DirectiveRule, ModelCapability, Policy, with_directive
from governance.enforcement.population import (
    FALSE,
    POPULATION,
    Sql,
    all_of,
    any_of,
    audience_truth,
    clock,
    covered_truth,
    from_people,
    granted,
    join_sql,
    on_one_epoch,
    reads_organisation,
    restricted,
    settle,
    waived,
)
from governance.enforcement.states_of_person import GRANTS_OF_ORGANISATION
from governance.people.models import PersonKind


@dataclass(frozen=True)
class Candidate:
    """A version put to the question: its rule as if put in force now, with its dates and the verify clock that would
    run, and what it would replace."""

    reference: str
    number: int
    digest: str
    rule: DirectiveRule
    replaces: frozenset[int] = frozenset()
    ends_waivers: bool = False
    waivers_end_by: datetime | None = None


@dataclass(frozen=True)
class Preview:
    """The figures of CONTRACTS.md, *Preview*. ``released``: people covered now whom the candidate covers no more."""

    policy_epoch: int
    at: datetime
    population: int
    covered: int
    unknown: int
    lose_access: int
    regain_access: int
    to_verify: int
    keep_by_waiver: int
    decisions_flipped: int
    decisions_regained: int
    released: int
    fingerprint: str
    lose_access_by_kind: dict[str, int] = field(default_factory=dict)
    lose_access_by_department: dict[str, int] = field(default_factory=dict)
    lose_access_by_organisation: dict[str, int] = field(default_factory=dict)
    lose_access_by_location: dict[str, int] = field(default_factory=dict)

    @property
    def not_covered(self) -> int:
        return self.population - self.covered - self.unknown


@dataclass(frozen=True)
class _Group:
    """Model capabilities that the same audience and the same directives decide, so that one expression serves them all."""

    audience: str
    now: tuple[int, ...]
    after: tuple[int, ...]
    in_scope: bool


class _Plan:
    """Names the truths a preview needs and builds its statement from them."""

    def __init__(
        self,
        policy: Policy,
        candidate: Candidate,
        *,
        fingerprint: bool,
        keep: int | None = None,
        unwaived: frozenset[int] = frozenset(),
    ) -> None:
        self.policy, self.candidate, self.fingerprint, self.keep = policy, candidate, fingerprint, keep
        self.unwaived = unwaived
        self.after = with_directive(policy, candidate.rule, without=candidate.replaces)
        self.before_rules = {rule.directive_id: rule for rule in policy.directives}
        self.others = {
            rule.directive_id: rule
            for rule in self.after.directives
            if rule.directive_id != candidate.rule.directive_id
        }
        ids = set(candidate.rule.scope)
        for gone in candidate.replaces | {candidate.rule.directive_id}:
            if gone in self.before_rules:
                ids |= self.before_rules[gone].scope
        self.items = sorted(
            (item for item in policy.by_id.values() if item.id in ids and item.enabled), key=lambda item: item.name
        )

    # -- level 1: truths of a person -------------------------------------------------------------------------------

    def truths(self) -> dict[str, Sql]:
        columns = {"t": covered_truth(self.candidate.rule.rule)}
        for item in self.items:
            if item.audience is not None:
                columns.setdefault(f"a{item.audience.id}", Sql("(") + audience_truth(item.audience) + Sql(") IS TRUE"))
        used = {d for group in self.groups() for d in group.now}
        used |= {d for group in self.groups() for d in group.after if d != self.candidate.rule.directive_id}
        current = self.before_rules.get(self.candidate.rule.directive_id)
        if current is not None:
            used.add(current.directive_id)
        used |= {d for d in self.candidate.replaces if d in self.before_rules}
        for directive_id in sorted(used):
            columns[f"d{directive_id}"] = restricted(self.before_rules[directive_id])
        return columns

    def denies_after(self) -> Sql:
        """Whether the candidate denies the person at activation: by its dates, and by the verify clock as it then runs."""
        rule = self.candidate.rule
        return all_of([clock(rule), settle(Sql("t"), rule)]) if rule.effect == "deny" else FALSE

    # -- level 2: decisions of a person ----------------------------------------------------------------------------

    def _directives(self, item: ModelCapability, policy: Policy) -> tuple[int, ...]:
        return tuple(r.directive_id for r in policy.directives_on.get(item.id, ()) if r.effect == "deny")

    def group_of(self, item: ModelCapability) -> _Group:
        return _Group(
            audience=f"a{item.audience.id}" if item.audience else "FALSE",
            now=self._directives(item, self.policy),
            after=self._directives(item, self.after),
            in_scope=item.id in self.candidate.rule.scope,
        )

    def groups(self) -> dict[_Group, int]:
        counts: dict[_Group, int] = {}
        for item in self.items:
            group = self.group_of(item)
            counts[group] = counts.get(group, 0) + 1
        return counts

    def _denied(self, directive_id: int, *, after: bool) -> Sql:
        if after and directive_id == self.candidate.rule.directive_id:
            return self.denies_after()
        return Sql(f"d{directive_id}")

    def _permitted(self, group: _Group, *, after: bool, item: ModelCapability | None = None) -> Sql:
        admitted = Sql(group.audience)
        if item is not None:
            admitted = any_of([admitted, granted(item.id, person="gi", organisation="goi")])
        kept = []
        for directive_id in group.after if after else group.now:
            denied = self._denied(directive_id, after=after)
            ends_waivers = after and directive_id == self.candidate.rule.directive_id and self.candidate.ends_waivers
            if item is not None and not ends_waivers and directive_id not in self.unwaived:
                denied = all_of([denied, Sql("NOT ") + waived(directive_id, item.id, pairs="pairs")])
            kept.append(Sql("NOT ") + Sql("(") + denied + Sql(")"))
        return all_of([admitted, *kept])

    def count(self, kind: str) -> Sql:
        """How many of a person's decisions turn to deny (``lost``), to permit (``gained``) or are permitted in scope."""
        by_group = join_sql(
            [
                Sql(f"{number} * (") + self._turn(kind, group, None) + Sql(")::int")
                for group, number in self.groups().items()
            ]
            or [Sql("0")],
            " + ",
        )
        one_by_one = join_sql(
            [Sql("(") + self._turn(kind, self.group_of(item), item) + Sql(")::int") for item in self.items]
            or [Sql("0")],
            " + ",
        )
        return Sql("CASE WHEN special THEN ") + one_by_one + Sql(" ELSE ") + by_group + Sql(" END")

    def _turn(self, kind: str, group: _Group, item: ModelCapability | None) -> Sql:
        now = self._permitted(group, after=False, item=item)
        after = self._permitted(group, after=True, item=item)
        if kind == "lost":
            return all_of([now, Sql("NOT ") + after])
        if kind == "gained":
            return all_of([after, Sql("NOT ") + now])
        if not group.in_scope:
            return FALSE
        return now if kind == "now_in_scope" else after

    # -- the statement ---------------------------------------------------------------------------------------------

    def statement(self) -> Sql:
        truths = self.truths()
        organisation = reads_organisation(self._rules())
        columns = join_sql([sql + Sql(f" AS {name}") for name, sql in truths.items()], ",\n           ")
        release = any_of(
            [
                Sql(f"d{d}")
                for d in sorted({self.candidate.rule.directive_id} | self.candidate.replaces)
                if f"d{d}" in truths
            ]
        )
        inner = (
            Sql(
                "SELECT p.id, p.kind, p.department, p.org_id, p.location_country,\n"
                f"           w.pairs, g.items AS gi, {GRANTS_OF_ORGANISATION} AS goi,\n"
                "           (w.pairs IS NOT NULL OR g.items IS NOT NULL OR go.items IS NOT NULL) AS special,\n           "
            )
            + columns
            + Sql(f"\n      FROM {from_people(organisation=organisation, permissions=True)}")
            + Sql(f"\n     WHERE {POPULATION} OFFSET 0")
        )
        flags = [
            Sql("(t IS NULL AND ") + self.count("after_in_scope") + Sql(" > 0)"),
            Sql("(special AND ") + self.denies_after() + Sql(" AND ") + self.count("now_in_scope") + Sql(" > 0 AND ")
            + self.count("lost") + Sql(" = 0)"),
            Sql("(") + release + Sql(" AND NOT ") + self.denies_after() + Sql(")"),
        ]  # fmt: skip
        per_person = (
            Sql(f"SELECT id, kind, department, org_id, location_country, t,\n      (({_LOST} * (")
            + self.count("lost")
            + Sql(f") + {_GAINED} * (")
            + self.count("gained")
            + Sql(")) + ")
            + join_sql([flag + Sql(f"::int * {1 << bit}") for bit, flag in enumerate(flags)], " + ")
            + Sql(") AS code\n    FROM (")
            + inner
            + Sql(") truths")
        )
        members = (
            "(SELECT encode(sha256(convert_to(coalesce(string_agg("
            "CASE WHEN t IS NULL THEN id || '?' ELSE id END, ',' ORDER BY id), ''), 'UTF8')), 'hex')\n"
            "     FROM per_person WHERE t IS NOT FALSE)"
            if self.fingerprint
            else "NULL"
        )
        head = Sql(f"WITH per_person AS {'MATERIALIZED' if self.fingerprint else 'NOT MATERIALIZED'} (\n    ")
        return head + per_person + self._kept() + Sql(_TAIL.format(members=members))

    def _kept(self) -> Sql:
        """Store who is covered or unknown in the statement that counts them, so that set and figures are of one moment.

        Nothing is stored when the policy moved meanwhile: the statement is built again then.
        """
        if self.keep is None:
            return Sql(")")
        return Sql(
            "), kept AS (INSERT INTO enforcement_previewmember (version_id, person_id)\n"
            "      SELECT %s, id FROM per_person WHERE t IS NOT FALSE"
            " AND (SELECT value FROM enforcement_policyepoch) = %s)",
            (self.keep, self.policy.epoch),
        )

    def _rules(self) -> Iterable[Any]:
        yield self.candidate.rule.rule
        for item in self.items:
            if item.audience:
                yield item.audience.rule
        for rule in self.before_rules.values():
            yield rule.rule


# What happens to one person, packed into one number, so that people are counted by few columns: bit 0 *asked to verify*,
# bit 1 *keeps access by waiver*, bit 2 *released*, then the decisions gained and lost.
_GAINED, _LOST = 1 << 3, 1 << 33
_TAIL = """
SELECT (SELECT value FROM enforcement_policyepoch), statement_timestamp(), {members},
       kind, department, org_id, location_country, grouping(kind, department, org_id, location_country),
       sum(n), sum(n) FILTER (WHERE t), sum(n) FILTER (WHERE t IS NULL),
       coalesce(sum(n) FILTER (WHERE lost > 0), 0), coalesce(sum(n) FILTER (WHERE gained > 0), 0),
       coalesce(sum(n) FILTER (WHERE code & 1 > 0), 0), coalesce(sum(n) FILTER (WHERE code & 2 > 0), 0),
       coalesce(sum(n * lost), 0), coalesce(sum(n * gained), 0), coalesce(sum(n) FILTER (WHERE code & 4 > 0), 0)
  FROM (SELECT kind, department, org_id, location_country, t, code, code >> 33 AS lost,
               (code >> 3) & 1073741823 AS gained, count(*) AS n
          FROM per_person GROUP BY kind, department, org_id, location_country, t, code) counted
 GROUP BY GROUPING SETS ((), (kind), (department), (org_id), (location_country))
"""
# grouping() has a bit for each column that is *not* grouped by, the last column the lowest.
_TOTAL, _KIND, _DEPARTMENT, _ORGANISATION, _LOCATION = 0b1111, 0b0111, 0b1011, 0b1101, 0b1110


def compute(
    candidate: Candidate,
    *,
    fingerprint: bool = True,
    without: Iterable[int] = (),
    keep: int | None = None,
    at: datetime | None = None,
    unwaived: frozenset[int] = frozenset(),
) -> Preview:
    """Compute the preview of ``candidate`` against the policy in force, in one snapshot.

    ``without``: ids of directives that the comparison leaves out, as if they were not in force now. ``keep``: the id of the
    version for which the people covered or unknown are stored; else nothing is written. ``at``: a moment to come, for which
    the clocks of all directives are set; people are as they are. ``unwaived``: ids of directives whose waivers do not count.
    """

    def build(policy: Policy) -> Sql:
        now, asked = with_directive(policy, None, without=without), candidate
        if at is not None:
            now = replace(now, directives=tuple(as_of(rule, at) for rule in now.directives))
            asked = replace(candidate, rule=as_of(candidate.rule, at))
        return _Plan(now, asked, fingerprint=fingerprint, keep=keep, unwaived=unwaived).statement()

    policy, rows = on_one_epoch(build)
    return _read(policy.epoch, rows, candidate)


def as_of(rule: DirectiveRule, moment: datetime) -> DirectiveRule:
    """The rule as its clocks have it at a moment, with nothing left for a clock to change. Out of its term it denies nobody."""
    return replace(
        rule,
        effect=rule.effect if rule.counts_at(moment) else "monitor",
        on_unknown="deny" if rule.unknown_denies_at(moment) else "allow",
        verify_deadline=None,
        effective_at=None,
        expires_at=None,
    )


def _read(epoch: int, rows: Sequence[tuple[Any, ...]], candidate: Candidate) -> Preview:
    total = next(row for row in rows if row[7] == _TOTAL)
    population, covered, unknown, lose, regain, verify, keep, flipped, regained, released = (
        int(value or 0) for value in total[8:18]
    )

    def by(level: int, column: int) -> dict[str, int]:
        counts = {row[column] or "": int(row[11]) for row in rows if row[7] == level}
        return {key: count for key, count in sorted(counts.items()) if count}

    kinds = dict.fromkeys(sorted(str(kind) for kind in PersonKind.values), 0)
    members = total[2] or ""
    return Preview(
        policy_epoch=epoch,
        at=total[1],
        population=population,
        covered=covered,
        unknown=unknown,
        lose_access=lose,
        regain_access=regain,
        to_verify=verify if candidate.rule.on_unknown == "verify" else 0,
        keep_by_waiver=keep,
        decisions_flipped=flipped,
        decisions_regained=regained,
        released=released,
        fingerprint=hashlib.sha256(f"{candidate.digest}:{members}".encode()).hexdigest() if members else "",
        lose_access_by_kind=kinds | by(_KIND, 3),
        lose_access_by_department=by(_DEPARTMENT, 4),
        lose_access_by_organisation=by(_ORGANISATION, 5),
        lose_access_by_location=by(_LOCATION, 6),
    )
