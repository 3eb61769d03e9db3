"""Who is to be told what, over everybody at once: compiled from the same policy that decides.

For one directive and one person: *off* is what the directive denies that the person would otherwise have and was not told of yet
(by whichever directive: nothing changes for somebody who is denied twice); *back* is what they were told to be off because of
this directive, and may use again without a waiver against it. Waivers are told of by themselves (``notifications``).
"""

from __future__ import annotations

from dataclasses import dataclass

from governance.communications.models import Audience
from governance.communications.states import MailState
from governance.enforcement.policy import DirectiveRule, ModelCapability, Policy
from governance.enforcement.population import (
    FALSE,
    NOW,
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
    restricted,
    waived,
)
from governance.enforcement.states_of_person import GRANTS_OF_ORGANISATION

Range = tuple[str | None, str | None]
"""Person ids from the first, up to but not including the second; None is open."""
EVERYBODY: Range = (None, None)


@dataclass(frozen=True)
class Reach:
    """How many would be told now. ``nothing_to_lose``: covered, but without access that the directive could take."""

    off: int
    verify: int
    back: int
    off_managers: int
    back_managers: int
    without_address: int
    covered: int
    nothing_to_lose: int
    told_before: int


@dataclass(frozen=True)
class Written:
    """What one chunk wrote. ``digest`` is SHA-256 (hex) over the sorted ids of the people it told."""

    off: int
    verify: int
    back: int
    digest: str


class _Due:
    """The statement's common part: one row for each person, with what is *off* and *back* for them and is news."""

    def __init__(self, policy: Policy, directive_id: int, rule: DirectiveRule | None, version_id: int) -> None:
        self.policy, self.directive_id, self.version_id = policy, directive_id, version_id
        self.rule = rule if rule is not None and rule.effect == "deny" else None
        self.items = sorted((item for item in policy.model_capabilities.values() if item.enabled), key=lambda i: i.id)

    def _in_scope(self, item: ModelCapability) -> bool:
        return self.rule is not None and item.id in self.rule.scope

    def _truths(self) -> dict[str, Sql]:
        columns = {"c": restricted(self.rule) if self.rule else FALSE, "u": self._to_verify()}
        for item in self.items:
            if item.audience is not None:
                columns.setdefault(f"a{item.audience.id}", Sql("(") + audience_truth(item.audience) + Sql(") IS TRUE"))
        for other in self.policy.directives:
            if other.directive_id != self.directive_id and other.effect == "deny":
                columns[f"d{other.directive_id}"] = restricted(other)
        return columns

    def _to_verify(self) -> Sql:
        rule = self.rule
        if rule is None or rule.on_unknown != "verify" or rule.verify_deadline is None:
            return FALSE
        waiting = Sql(f"{NOW} < %s::timestamptz", (rule.verify_deadline,))
        told = Sql(
            "NOT EXISTS (SELECT 1 FROM communications_message m JOIN communications_announcement n"
            " ON n.id = m.announcement_id WHERE m.person_id = p.id AND m.audience = 'verify' AND n.version_id = %s)",
            (self.version_id,),
        )
        return all_of([clock(rule), waiting, Sql("(") + covered_truth(rule.rule) + Sql(") IS NULL"), told])

    def _admitted(self, item: ModelCapability) -> Sql:
        audience = Sql(f"a{item.audience.id}") if item.audience else FALSE
        return any_of([audience, granted(item.id, person="gi", organisation="goi")])

    def _others_permit(self, item: ModelCapability) -> Sql:
        return all_of(
            Sql(f"NOT (d{other.directive_id} AND NOT ") + waived(other.directive_id, item.id, pairs="pairs") + Sql(")")
            for other in self.policy.directives_on.get(item.id, ())
            if other.directive_id != self.directive_id and other.effect == "deny"
        )

    def _lost(self, item: ModelCapability) -> Sql:
        answered = Sql("NOT ") + waived(self.directive_id, item.id, pairs="pairs")
        return all_of([Sql("c"), self._admitted(item), answered])

    def _array(self, conditions: list[tuple[ModelCapability, Sql]]) -> Sql:
        cases = [Sql("CASE WHEN ") + condition + Sql(f" THEN {item.id} END") for item, condition in conditions]
        return Sql("array_remove(ARRAY[") + join_sql(cases, ", ") + Sql("]::bigint[], NULL)")

    def _known(self, item: ModelCapability, column: str) -> Sql:
        return Sql(f"coalesce({item.id} = ANY({column}), FALSE)")

    def statement(self, people: Range) -> Sql:
        """``due (id, manager_id, email, c, lost, off, back, verify, own)``: everybody of whom anything is to be said."""
        columns = join_sql([sql + Sql(f" AS {name}") for name, sql in self._truths().items()], ",\n           ")
        inner = (
            Sql(
                "SELECT p.id, p.manager_id, p.email, t.own, t.told, w.pairs, g.items AS gi,"
                f" {GRANTS_OF_ORGANISATION} AS goi,\n           "
            )
            + columns
            + Sql(
                f"\n      FROM {from_people(organisation=True, permissions=True)}\n"
                "      LEFT JOIN (SELECT person_id, array_agg(item) AS told,"
                " array_agg(item) FILTER (WHERE directive_id = %s) AS own"
                " FROM communications_told, unnest(items) item WHERE TRUE",
                (self.directive_id,),
            )
            + _within(people, "person_id")
            + Sql(f" GROUP BY person_id) t ON t.person_id = p.id\n     WHERE {POPULATION}")
            + _within(people, "p.id")
            + Sql(" OFFSET 0")
        )
        scope = [item for item in self.items if self._in_scope(item)]
        news = [
            (item, all_of([self._lost(item), Sql("NOT ") + self._known(item, "told")])) for item in scope
        ]  # fmt: skip
        back = []
        for item in self.items:
            uncovered = [Sql("NOT c")] if self._in_scope(item) else []
            permitted = [self._known(item, "own"), *uncovered, self._admitted(item), self._others_permit(item)]
            back.append((item, all_of(permitted)))
        able = any_of(all_of([self._admitted(item), self._others_permit(item)]) for item in scope)
        return (
            Sql("due AS (SELECT id, manager_id, email, c, own, ")
            + self._array([(item, self._lost(item)) for item in scope])
            + Sql(" AS lost, ")
            + self._array(news)
            + Sql(" AS off, ")
            + self._array(back)
            + Sql(" AS back, (u AND ")
            + able
            + Sql(") AS verify FROM (")
            + inner
            + Sql(") truths WHERE c OR u OR own IS NOT NULL)")
        )


def _within(people: Range, column: str) -> Sql:
    text, params = "", []
    for border, comparison in zip(people, (">=", "<"), strict=True):
        if border is not None:
            text += f" AND {column} {comparison} %s"
            params.append(border)
    return Sql(text, tuple(params))


_HEAD = "SELECT (SELECT value FROM enforcement_policyepoch), "
_MANAGER = "JOIN people_person b ON b.id = due.manager_id AND b.status <> 'departed'"
_OFF, _BACK = "cardinality(off) > 0", "cardinality(back) > 0"


def count(directive_id: int, version_id: int, after: DirectiveRule | None = None) -> tuple[Reach, list[tuple]]:
    """Who would be told now, or once ``after`` is in force; and one of them for each audience, as an example.

    An example is ``(audience, person id, items, people)``. Nothing is written.
    """

    def build(policy: Policy) -> Sql:
        rule = after or policy.directive(directive_id)
        due = _Due(policy, directive_id, rule, version_id)
        managers = f"(SELECT count(DISTINCT due.manager_id) FROM due {_MANAGER} WHERE {{}})"
        return (
            Sql("WITH ")
            + due.statement(EVERYBODY)
            + Sql(
                f"{_HEAD} count(*) FILTER (WHERE {_OFF}), count(*) FILTER (WHERE verify),"
                f" count(*) FILTER (WHERE {_BACK}), {managers.format(_OFF)}, {managers.format(_BACK)},"
                f" count(*) FILTER (WHERE email = '' AND ({_OFF} OR {_BACK} OR verify)), count(*) FILTER (WHERE c),"
                f" count(*) FILTER (WHERE c AND cardinality(lost) = 0),"
                f" count(*) FILTER (WHERE c AND cardinality(lost) > 0 AND cardinality(off) = 0),"
                f" (SELECT jsonb_build_array(id, off) FROM due WHERE {_OFF} ORDER BY id LIMIT 1),"
                f" (SELECT jsonb_build_array(id, off) FROM due WHERE verify ORDER BY id LIMIT 1),"
                f" (SELECT jsonb_build_array(id, back) FROM due WHERE {_BACK} ORDER BY id LIMIT 1),"
                f" (SELECT jsonb_build_array(b.id, count(*)) FROM due {_MANAGER} WHERE {_OFF} GROUP BY b.id ORDER BY b.id LIMIT 1) FROM due"
            )
        )

    _, rows = on_one_epoch(build)
    return Reach(*rows[0][1:10]), list(zip(_EXAMPLES, rows[0][10:], strict=True))


_EXAMPLES = (Audience.OFF, Audience.VERIFY, Audience.BACK, Audience.OFF_MANAGER)


def write(*, announcement_id: int, directive_id: int, version_id: int, people: Range) -> Written:
    """Write the messages of a range of people and note what they were told, in one statement, from one snapshot.

    Running it twice writes nothing the second time. The caller holds people still.
    """

    def build(policy: Policy) -> Sql:
        due = _Due(policy, directive_id, policy.directive(directive_id), version_id)
        same = Sql(" AND (SELECT value FROM enforcement_policyepoch) = %s", (policy.epoch,))

        def told(audience: str, items: str, where: str) -> Sql:
            return (
                Sql(
                    "INSERT INTO communications_message"
                    " (announcement_id, person_id, audience, items, people, written_at, mail, tries, problem)"
                    f" SELECT %s, id, %s, {items}, 0, {NOW}, CASE WHEN email = '' THEN %s ELSE %s END, 0, ''"
                    f" FROM due WHERE {where}",
                    (announcement_id, audience, str(MailState.NONE), str(MailState.DUE)),
                )
                + same
                + Sql(" ON CONFLICT DO NOTHING RETURNING person_id")
            )

        return (
            Sql("WITH ")
            + due.statement(people)
            + Sql(", off AS (") + told(str(Audience.OFF), "off", _OFF)
            + Sql("), verify AS (") + told(str(Audience.VERIFY), "'{}'::bigint[]", "verify")
            + Sql("), back AS (") + told(str(Audience.BACK), "back", _BACK)
            + Sql(
                "), noted AS (INSERT INTO communications_told (person_id, directive_id, items) SELECT id, %s,"
                " ARRAY(SELECT unnest(coalesce(own, '{}') || off) EXCEPT SELECT unnest(back) ORDER BY 1)"
                f" FROM due WHERE ({_OFF} OR {_BACK})",
                (directive_id,),
            )
            + same
            + Sql(" ON CONFLICT (person_id, directive_id) DO UPDATE SET items = EXCLUDED.items RETURNING 1), people AS ("
                  "SELECT person_id FROM off UNION SELECT person_id FROM verify UNION SELECT person_id FROM back) "
                  f"{_HEAD} (SELECT count(*) FROM off), (SELECT count(*) FROM verify), (SELECT count(*) FROM back),"
                  " (SELECT encode(sha256(convert_to(coalesce(string_agg(person_id, ',' ORDER BY person_id), ''), 'UTF8')),"
                  " 'hex') FROM people)")
        )  # fmt: skip

    _, rows = on_one_epoch(build)
    return Written(*rows[0][1:])


def anybody(directive_id: int, version_id: int) -> bool:
    """Whether anybody is to be told anything about the directive now."""

    def build(policy: Policy) -> Sql:
        due = _Due(policy, directive_id, policy.directive(directive_id), version_id)
        news = f"EXISTS (SELECT 1 FROM due WHERE {_OFF} OR {_BACK} OR verify)"
        return Sql("WITH ") + due.statement(EVERYBODY) + Sql(f"{_HEAD} {news}")

    _, rows = on_one_epoch(build)
    return bool(rows[0][1])
