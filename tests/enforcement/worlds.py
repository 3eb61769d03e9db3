"""Random worlds: people, organisations, held states, waivers, grants and a policy, as a database could hold them.

Everything is written with the guards of the database off: decisions and the SQL over everybody must agree on whatever
is there, however it came.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import strategies as st

from governance.enforcement.policy import Audience, CompiledRule, DirectiveRule, ModelCapability, Policy
from governance.rules.attributes import PERSON_KINDS, PERSON_STATUSES, SLOTS, VETTING_STATUSES
from governance.rules.language import All, Any_, Const, Leaf, Not
from tests.rules.test_compilers_agree import COUNTRIES, DATES, leaves, rules

Draw = Callable[[Any], Any]
Execute = Callable[..., list[tuple[Any, ...]]]
PEOPLE = [f"p{n:03}" for n in range(1, 38)]
# The same few are drawn for everything, so that it meets in one person.
FEW = ["p001", "p009", "p013", "p020"]
ORGANISATIONS = ["acme", "northbank", "uni-lab"]
ITEMS = [("fable-5", "use"), ("mythos-5", "use"), ("fable-5", "code-review")]
PAST, TO_COME = (datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2035))
_DEADLINES = st.sampled_from([None, PAST, PAST, TO_COME])
_BEGINS = st.sampled_from([None, None, None, PAST, PAST, TO_COME])
_EXPIRES = st.sampled_from([None, None, None, TO_COME, TO_COME, PAST])
_LISTS = st.none() | st.lists(st.sampled_from(COUNTRIES), max_size=2, unique=True)
_COUNTRY = st.none() | st.sampled_from(COUNTRIES)
_PERSON = {
    "kind": st.sampled_from(PERSON_KINDS),
    "status": st.sampled_from(PERSON_STATUSES),
    "department": st.sampled_from([None, "a", "b"]),
    "citizenships": _LISTS,
    "permanent_residences": _LISTS,
    "protected_status": st.sampled_from([None, True, False]),
    "residence_country": _COUNTRY,
    "location_country": _COUNTRY,
    "start_date": st.none() | st.sampled_from(DATES),
}
_ORGANISATION = {
    "country": st.sampled_from(COUNTRIES),
    "vetting_status": st.sampled_from(VETTING_STATUSES),
    "vetting_expires": st.sampled_from([None, date(2020, 1, 1), date(2035, 1, 1)]),
}
_TERMS = st.sampled_from(
    [
        ("-1 hour", "1 hour", None),
        ("-1 hour", "1 hour", None),
        ("1 hour", "2 hours", None),  # not begun
        ("-2 hours", "-1 hour", None),  # over
        ("-1 hour", "1 hour", "-1 minute"),  # ended
        ("-1 hour", "1 hour", "1 minute"),  # ended, as a clock that went back reads it
    ]
)


@dataclass(frozen=True)
class World:
    """What was drawn: the policy, and another directive or version that could be put in force."""

    policy: Policy
    candidate: DirectiveRule
    replaces: frozenset[int]
    ends_waivers: bool


def people_on_record(draw: Draw, execute: Execute) -> None:
    """People, their organisations and what is held of both, changed at random."""
    belongs = st.sampled_from([None, *ORGANISATIONS])
    for person in draw(st.lists(st.sampled_from(FEW * 9 + PEOPLE), min_size=3, max_size=7, unique=True)):
        _update("people_person", person, draw(st.fixed_dictionaries(_PERSON | {"org_id": belongs})), execute)
    for organisation in draw(st.lists(st.sampled_from(ORGANISATIONS), max_size=3, unique=True)):
        _update("people_organisation", organisation, draw(st.fixed_dictionaries(_ORGANISATION)), execute)
    for person in draw(st.lists(st.sampled_from(FEW), max_size=3, unique=True)):
        names = "given_name, family_name, email, title"
        change = draw(st.fixed_dictionaries(_PERSON | {"org_id": belongs}))
        _hold("people_heldperson", "person_id", "people_person", names, person, change, execute)
    for organisation in draw(st.lists(st.sampled_from(ORGANISATIONS), max_size=2, unique=True)):
        change = draw(st.fixed_dictionaries(_ORGANISATION))
        names = "name, type, parent_org_id"
        _hold("people_heldorganisation", "organisation_id", "people_organisation", names, organisation, change, execute)


def _update(table: str, key: str, values: dict[str, Any], execute: Execute) -> None:
    columns = ", ".join(f"{name} = %s" for name in values)
    execute(f"UPDATE {table} SET {columns} WHERE id = %s", [*values.values(), key])


def _hold(table: str, column: str, of: str, kept: str, key: str, values: dict[str, Any], execute: Execute) -> None:
    execute(
        f"INSERT INTO {table} ({column}, proposed_by, {kept}, {', '.join(values)})"
        f" SELECT id, 'test', {kept}, {', '.join(['%s'] * len(values))} FROM {of} WHERE id = %s",
        [*values.values(), key],
    )


def permissions(draw: Draw, execute: Execute, policy: Policy) -> None:
    """Waivers from one directive or another, and grants to people and organisations, whatever their term."""
    items = st.sampled_from([policy.model_capabilities[key].id for key in ITEMS])
    waivers = st.tuples(st.sampled_from(FEW), st.sampled_from([900, 901, 950]), st.sets(items, max_size=2), _TERMS)
    for number, (person, directive, over, term) in enumerate(draw(st.lists(waivers, max_size=4)), 900_001):
        execute(
            "INSERT INTO waivers_waiver (id, person_id, directive_id, request_id, starts_at, ends_at, ended_at, end_reason)"
            " VALUES (%s, %s, %s, %s, now() + %s::interval, now() + %s::interval, now() + %s::interval, '')",
            [number, person, directive, number, *term],
        )
        for item in over:
            execute(
                "INSERT INTO waivers_waivercapability (waiver_id, model_capability_id) VALUES (%s, %s)", [number, item]
            )
    to = st.tuples(st.sampled_from(FEW), st.none()) | st.tuples(st.none(), st.sampled_from(ORGANISATIONS))
    for (person, organisation), item, term in draw(st.lists(st.tuples(to, items, _TERMS), max_size=4)):
        execute(
            "INSERT INTO waivers_grant (person_id, organisation_id, model_capability_id, starts_at, ends_at, ended_at, reason)"
            " VALUES (%s, %s, %s, now() + %s::interval, now() + %s::interval, now() + %s::interval, '')",
            [person, organisation, item, *term],
        )


def world(draw: Draw, base: Policy) -> World:
    """A policy over the catalog of ``base``: capabilities off, audiences absent or random, up to three directives."""
    rule = _rules()
    items = dict(base.model_capabilities)
    for number, key in enumerate(ITEMS):
        items[key] = draw(_capability(items[key], number, rule))
    ids = sorted(base.by_id)
    directives = [draw(_directive(900 + n, rule, ids, items)) for n in range(draw(st.sampled_from([0, 1, 1, 2, 2, 3])))]
    policy = replace(base, model_capabilities=items, directives=tuple(directives))
    replaces = draw(st.sets(st.sampled_from([900, 901, 902]), max_size=1))
    candidate = draw(_directive(draw(st.sampled_from([900, 901, 950])), rule, ids, items))
    return World(policy, candidate, frozenset(replaces - {candidate.directive_id}), draw(st.booleans()))


def _capability(item: ModelCapability, number: int, rule: Any) -> Any:
    audience = st.builds(Audience, st.just(900 + number), st.just("random"), rule)
    return st.builds(
        lambda enabled, found: replace(item, enabled=enabled, audience=found),
        st.sampled_from([True] * 7 + [False]),
        st.sampled_from(range(6)).flatmap(lambda n: audience if n < 2 else st.just(None if n == 2 else item.audience)),
    )


def _directive(number: int, rule: Any, ids: list[int], items: dict[tuple[str, str], ModelCapability]) -> Any:
    pause = st.just(CompiledRule(Const(True)))
    return st.builds(
        lambda kind, drawn, paused, scope, **rest: DirectiveRule(
            directive_id=number, reference=f"D-{number}", title="", waivable="company", kind=kind,
            rule=paused if kind == "pause" else drawn, scope=frozenset(scope), **rest,
        ),
        kind=st.sampled_from(["order"] * 4 + ["pause"]),
        drawn=rule,
        paused=pause | rule,
        scope=st.builds(
            set.union, st.sets(st.sampled_from(ids), max_size=4), st.sets(st.sampled_from([items[k].id for k in ITEMS]))
        ),
        effect=st.sampled_from(["deny", "deny", "deny", "monitor"]),
        on_unknown=st.sampled_from(["deny", "verify", "verify", "allow"]),
        verify_deadline=_DEADLINES,
        effective_at=_BEGINS,
        expires_at=_EXPIRES,
    )  # fmt: skip


_OFTEN = (
    "person.citizenships", "person.permanent_residences", "person.protected_status", "person.location_country",
    "person.residence_country", "person.department", "org.vetting", "org.country", "org.id",
)  # fmt: skip
"""Attributes that are often unknown, or held: what most rules ask for, so that most are true of some and unknown of others."""


@st.composite
def _leaves(draw: Any, names: tuple[str, ...] = SLOTS) -> Leaf:
    """Conditions that can be true of those on record: ids of theirs, and every status of vetting."""
    found: Leaf = draw(leaves(names))
    values = {"org.id": ORGANISATIONS, "person.id": FEW, "org.vetting": list(VETTING_STATUSES)}.get(found.attr)
    if values is None or found.op == "known":
        return found
    if found.op == "in":
        return replace(found, value=tuple(draw(st.lists(st.sampled_from(values), max_size=3, unique=True))))
    return replace(found, value=draw(st.sampled_from(values)))


def _rules() -> Any:
    """Small rules of conditions that matter, and any rule whatever."""
    leaf = _leaves(_OFTEN)
    pairs = st.tuples(leaf, leaf)
    small = (
        leaf
        | st.builds(Not, leaf)
        | st.builds(All, pairs)
        | st.builds(Any_, pairs)
        | st.builds(Not, st.builds(Any_, pairs))
    )
    return (small | rules(_leaves())).map(CompiledRule)
