"""The decision: may this person use this capability of this model, now?

One SQL round trip reads the person, waivers, grants and the policy epoch in one snapshot; the rest is functions
(DESIGN.md, *Decision*). If the epoch read differs from the compiled policy's, the policy is loaded again and the question
asked again, so a decision that starts after a commit sees that commit. What cannot be decided is denied.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from random import getrandbits
from typing import Any, NamedTuple

from governance.enforcement import policy as policies
from governance.enforcement.policy import DirectiveRule, ModelCapability, Policy
from governance.enforcement.sources import DJANGO, CannotDecide, Source, tries
from governance.enforcement.states_of_person import FACTS, STATES_JSON
from governance.rules.closures import SLOTS

# Named tuples, because one of each is made for every decision and a frozen dataclass takes five times as long.


class Covering(NamedTuple):
    """One directive in force whose scope has the model capability, and what it says about the person."""

    directive: DirectiveRule
    truth: bool | None
    denies: bool
    waived: bool


class Subject(NamedTuple):
    """A person as decisions see one: facts of the present state, then of each held one; waivers and grants in force."""

    states: tuple[tuple[Any, ...], ...]  # empty: nobody of that id
    waivers: frozenset[tuple[int, int]]  # (directive id, model capability id)
    grants: frozenset[int]
    epoch: int
    now: datetime

    def __repr__(self) -> str:
        return "Subject(…)"  # facts are sensitive: never in a log or an error


class Reading(NamedTuple):
    """What one statement found: the people asked about, all of one snapshot with its epoch and the database's clock.

    ``snapshot`` names the database snapshot (``pg_current_snapshot()``), so that a recorded decision can be taken again
    exactly as it was.
    """

    epoch: int
    now: datetime
    snapshot: str
    people: dict[str, Subject]

    def of(self, person_id: str) -> Subject:
        found = self.people.get(person_id)
        return found if found is not None else Subject((), _NOBODY, _NOBODY, self.epoch, self.now)


_NOBODY: frozenset[Any] = frozenset()


def new_id() -> str:
    """An id for a decision: a UUID of version 7 (RFC 9562, 5.7), so that records lie in the order of time."""
    moment = time.time_ns() // 1_000_000
    chance = getrandbits(74)
    tail = f"{0x8000 | (chance >> 12 & 0x3FFF):04x}-{chance >> 26:012x}"
    return f"{moment >> 16:08x}-{moment & 0xFFFF:04x}-7{chance & 0xFFF:03x}-{tail}"


class Decision(NamedTuple):
    """The answer, with everything an explanation needs. Holds truth values, never attribute values."""

    permit: bool
    code: str
    directives: tuple[str, ...]
    policy_epoch: int | None
    evaluated_at: datetime | None
    id: str
    model_capability: ModelCapability | None = None
    audience_truth: bool | None = None
    granted: bool = False
    covering: tuple[Covering, ...] = ()
    subject: Subject | None = None


_SELECT = f"""
SELECT e.value, statement_timestamp(), pg_current_snapshot()::text, p.id, {FACTS},
       {STATES_JSON},
       (SELECT array_agg(w.directive_id || '/' || c.model_capability_id)
          FROM waivers_waiver w JOIN waivers_waivercapability c ON c.waiver_id = w.id
         WHERE w.person_id = p.id AND w.starts_at <= statement_timestamp()
           AND w.ends_at > statement_timestamp() AND w.ended_at IS NULL),
       (SELECT array_agg(g.model_capability_id)
          FROM waivers_grant g
         WHERE g.starts_at <= statement_timestamp() AND g.ends_at > statement_timestamp() AND g.ended_at IS NULL
           AND (g.person_id = p.id
                OR (g.organisation_id = p.org_id
                    AND NOT EXISTS (SELECT 1 FROM people_heldperson h
                                     WHERE h.person_id = p.id AND h.org_id IS DISTINCT FROM p.org_id))))
  FROM enforcement_policyepoch e
  LEFT JOIN people_person p ON p.id = """
_ORGANISATION = "\n  LEFT JOIN people_organisation o ON o.id = p.org_id"
READ_ONE = f"{_SELECT}%s{_ORGANISATION}"
_READ_MANY = f"{_SELECT}ANY(%s){_ORGANISATION}"
# What ended by its date would begin again if the database's clock went back. So each process keeps the latest time that
# decisions of it were made by, for each database, and decides nothing until the clock is past that again. It is compared
# with what was known *before* the question was sent: an answer that was slow on its way is not taken for an old one. A
# clock that is being corrected, or two threads that write at once, differ by less than a second; no term is shorter. If the
# clock was wrong in the other direction, far in the future, starting the web processes anew makes them forget it.
_latest: dict[str, datetime] = {}
_CLOCK_MAY_LAG = timedelta(seconds=1)
_DATE_SLOTS = tuple(index for index, name in enumerate(SLOTS) if name == "person.start_date")


def read_people(person_ids: Iterable[str], source: Source = DJANGO) -> Reading:
    """Everything about these people that decisions depend on, with the epoch, in one SQL round trip.

    Raises ``CannotDecide`` when there is no answer, or when the database's clock went back.
    """
    wanted, before = tuple(person_ids), _latest.get(source.name)
    rows = source.look_up(READ_ONE, wanted[0]) if len(wanted) == 1 else source.rows(_READ_MANY, (list(set(wanted)),))
    if not rows:
        raise CannotDecide("no policy epoch")
    epoch, now, snapshot = rows[0][:3]
    if before is None or now > before:
        _latest[source.name] = now
    elif before - now > _CLOCK_MAY_LAG:
        raise CannotDecide("the database's clock went back")
    return Reading(epoch, now, snapshot, {row[3]: _subject(row) for row in rows if row[3] is not None})


_WIDTH = len(SLOTS)


def _subject(row: tuple[Any, ...]) -> Subject:
    held, waivers, grants = row[4 + _WIDTH :]
    present = row[4 : 4 + _WIDTH]
    return Subject(
        (present, *(_from_json(state) for state in held)) if held else (present,),
        frozenset(_pair(pair) for pair in waivers) if waivers else _NOBODY,
        frozenset(grants) if grants else _NOBODY,
        row[0],
        row[1],
    )


def _pair(text: str) -> tuple[int, int]:
    directive, _, item = text.partition("/")
    return int(directive), int(item)


def _from_json(values: list[Any]) -> tuple[Any, ...]:
    facts = list(values)
    for slot in _DATE_SLOTS:
        if facts[slot] is not None:
            facts[slot] = date.fromisoformat(facts[slot])
    return tuple(facts)


def people_and_policy(person_ids: Iterable[str], source: Source = DJANGO) -> tuple[Reading, Policy]:
    """People and policy of one epoch; raises ``CannotDecide`` when they cannot be brought together."""
    wanted = tuple(person_ids)
    stale: int | None = None
    for _ in tries(source):
        policy = policies.current(other_than=stale, source=source)
        reading = read_people(wanted, source)
        if reading.epoch == policy.epoch:
            return reading, policy
        stale = policy.epoch
    raise CannotDecide("the policy kept changing")


def subject_and_policy(person_id: str, source: Source = DJANGO) -> tuple[Subject, Policy]:
    """The same for one person."""
    reading, policy = people_and_policy([person_id], source)
    return reading.of(person_id), policy


def decide(person_id: str, model: str, capability: str) -> Decision:
    """Decide now. Never raises for what is merely unknown, and never permits when it could not decide."""
    try:
        subject, policy = subject_and_policy(person_id)
    except CannotDecide:
        return Decision(False, "cannot_decide", (), None, None, new_id())
    return evaluate(policy, subject, model, capability)


def evaluate(policy: Policy, subject: Subject, model: str, capability: str) -> Decision:
    """The decision as a pure function of a policy and a person: now, or of any moment whose policy and person are at hand."""
    item = policy.model_capabilities.get((model, capability))
    if item is None or not subject.states:
        return Decision(False, _unknown(policy, subject, model, capability), (), policy.epoch, subject.now, new_id())
    audience = _audience_truth(item, subject)
    granted = item.id in subject.grants and not _departed(subject)
    rules = policy.directives_on.get(item.id)
    covering = tuple([_covering(rule, item, subject) for rule in rules if rule.counts_at(subject.now)]) if rules else ()
    denying = [entry for entry in covering if entry.denies and not entry.waived]
    named: tuple[str, ...] = ()
    permit = False
    if not item.enabled:
        code = "capability_disabled"
    elif audience is not True and not granted:
        code = "outside_audience"
    elif denying:
        code, named = _code(denying), tuple(entry.directive.reference for entry in denying)
    else:
        permit = True
        named = tuple(entry.directive.reference for entry in covering if entry.waived)
        code = "waiver" if named else ("audience" if audience is True else "grant")
    return Decision(
        permit, code, named, policy.epoch, subject.now, new_id(), item, audience, granted, covering, subject
    )


def _unknown(policy: Policy, subject: Subject, model: str, capability: str) -> str:
    """The first of the codes that applies, in the order of CONTRACTS.md."""
    if not subject.states:
        return "unknown_subject"
    if model not in policy.models:
        return "unknown_resource"
    return "unknown_action" if capability not in policy.capabilities else "capability_disabled"


def _audience_truth(item: ModelCapability, subject: Subject) -> bool | None:
    """True only if the audience is true of the present state and of every held one (the stricter counts)."""
    if item.audience is None:
        return False
    worst: bool | None = True
    for state in subject.states:
        truth = item.audience.rule.truth(state)
        if truth is False:
            return False
        if truth is None:
            worst = None
    return worst


_STATUS = SLOTS.index("person.status")


def _departed(subject: Subject) -> bool:
    """Whether the person has left, on record or in a held state: no grant outlives that (docs/decisions/0009)."""
    return any(state[_STATUS] == "departed" for state in subject.states)


def rule_truth(rule: DirectiveRule, subject: Subject) -> bool | None:
    """Whether the rule covers the person in the present state or any held one (the stricter counts)."""
    best: bool | None = False
    for state in subject.states:
        truth = rule.rule.truth(state)
        if truth is True:
            return True
        if truth is None:
            best = None
    return best


def _covering(rule: DirectiveRule, item: ModelCapability, subject: Subject) -> Covering:
    truth = rule_truth(rule, subject)
    denies = rule.effect == "deny" and (truth is True or (truth is None and rule.unknown_denies_at(subject.now)))
    return Covering(rule, truth, denies, denies and (rule.directive_id, item.id) in subject.waivers)


def _code(denying: list[Covering]) -> str:
    if any(entry.directive.kind == "pause" for entry in denying):
        return "paused"
    return "directive" if any(entry.truth is True for entry in denying) else "directive_unknown"
