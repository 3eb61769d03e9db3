"""One policy, read in different ways: whatever is on record, search, previews, runs and decisions say the same.

``evaluate`` decides on one person in Python; searches, previews and runs are SQL over everybody. Random worlds hold them equal,
through Django's connection and with the generic plans of the decision API's own connections.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from governance.enforcement import policy as policies
from governance.enforcement.decision import Reading, Subject, evaluate, people_and_policy, rule_truth
from governance.enforcement.policy import Client, DirectiveRule, Policy, with_directive
from governance.enforcement.population import POPULATION, Sql, from_people, on_one_epoch, reads_organisation, restricted
from governance.enforcement.preview import Candidate, Preview, compute
from governance.enforcement.restrictions import drift, reconcile
from governance.enforcement.sources import DJANGO, Link, Source, from_django_settings
from governance.rules.closures import SLOTS
from tests.api.test_search import ACTION, RESOURCE, SUBJECT, walk, who
from tests.enforcement.worlds import FEW, ITEMS, World, people_on_record, permissions, world
from tests.extended import examples
from tests.wire import Wire, services

pytestmark = pytest.mark.django_db
TOKEN = "a token of this test"
STATUS, KIND, DEPARTMENT, ORGANISATION, LOCATION = (
    SLOTS.index(name)
    for name in ("person.status", "person.kind", "person.department", "org.id", "person.location_country")
)


class Pooled:
    """A connection as the decision API's pool opens one, in a transaction of this test."""

    limit = 20.0

    def __init__(self) -> None:
        options = "-c jit=off -c plan_cache_mode=force_generic_plan -c TimeZone=UTC"
        self.link = Link.connect(
            from_django_settings(settings.DATABASES["default"]), prepare_threshold=0, options=options
        )
        self.name = "pooled"

    def rows(self, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.link.execute(text, params).fetchall()

    def look_up(self, text: str, key: str) -> list[tuple[Any, ...]]:
        return self.link.look_up(text, key)

    def close(self) -> None:
        self.link.close()


@dataclass
class Door:
    """One way to the database: what reads through it, and what writes what it then reads."""

    source: Source

    def execute(self, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        if isinstance(self.source, Pooled):
            cursor = self.source.link.execute(text, params)
            return cursor.fetchall() if cursor.description else []
        with connection.cursor() as cursor:
            cursor.execute(text, params)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def django_door(db: None) -> Door:
    return Door(DJANGO)


@dataclass
class Example:
    """A world in the database, and what evaluation reads of it."""

    world: World
    people: list[str]
    reading: Reading

    @property
    def policy(self) -> Policy:
        return self.world.policy

    def permits(self, person: str, key: tuple[str, str]) -> bool:
        return evaluate(self.policy, self.reading.of(person), *key).permit

    @property
    def population(self) -> list[Subject]:
        found = [self.reading.of(person) for person in self.people]
        return [subject for subject in found if subject.states[0][STATUS] != "departed"]


@contextmanager
def drawn(data: Any, door: Door) -> Iterator[Example]:
    """A world, in the database and compiled, until the block ends."""
    door.execute("SAVEPOINT example")
    try:
        door.execute("SET LOCAL session_replication_role = replica")
        base = policies.load(door.source)
        people_on_record(data.draw, door.execute)
        permissions(data.draw, door.execute, base)
        found = world(data.draw, base)
        clients = {hashlib.sha256(TOKEN.encode()).hexdigest(): Client(1, "gateway", frozenset({"search"}))}
        found = replace(found, policy=replace(found.policy, clients=clients))
        policies._current[door.source.name] = found.policy
        people = [row[0] for row in door.execute("SELECT id FROM people_person ORDER BY id")]
        reading, policy = people_and_policy(people, door.source)
        assert policy is found.policy
        yield Example(found, people, reading)
    finally:
        policies.forget()
        door.execute("ROLLBACK TO SAVEPOINT example")


def holds(number: int) -> Any:
    """A property over worlds: ``number`` of them at each change."""
    quiet = hypothesis_settings(
        max_examples=examples(number), deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
    )
    return lambda test: quiet(given(data=st.data())(test))


def applies(rule: DirectiveRule, subject: Subject) -> bool:
    """Whether a restriction exists for somebody of the population (CONTRACTS.md, *Who is covered*)."""
    truth = rule_truth(rule, subject)
    return rule.counts_at(subject.now) and (truth is True or (truth is None and rule.unknown_denies_at(subject.now)))


def search_agrees(data: Any, door: Door) -> None:
    """The three searches of the decision API, page by page."""
    with drawn(data, door) as example:
        wire = Wire(services(door.source), TOKEN)
        for model, capability in ITEMS:
            wanted = [person for person in example.people if example.permits(person, (model, capability))]
            limit = data.draw(st.sampled_from([7, 100]))
            assert walk(wire, SUBJECT, who(model, capability), limit=limit) == wanted, (model, capability)
        for person in data.draw(st.lists(st.sampled_from(FEW), min_size=1, max_size=2, unique=True)):
            subject = {"type": "person", "id": person}
            alone = people_and_policy([person], door.source)[0].of(person)
            assert alone[:3] == example.reading.of(person)[:3], "read alone or with everybody"
            permitted = {key for key in example.policy.model_capabilities if example.permits(person, key)}
            for capability in ("use", "code-review"):
                body = {"subject": subject, "resource": {"type": "model"}, "action": {"name": capability}}
                assert walk(wire, RESOURCE, body) == sorted(m for m, c in permitted if c == capability)
            for model in ("fable-5", "mythos-5"):
                body = {"subject": subject, "resource": {"type": "model", "id": model}}
                assert walk(wire, ACTION, body, key="name") == sorted(c for m, c in permitted if m == model)


@holds(40)
def test_searches_find_what_evaluation_permits(data: Any, django_door: Door) -> None:
    search_agrees(data, django_door)


@holds(25)
def test_searches_with_generic_plans_find_what_evaluation_permits(data: Any, db: None) -> None:
    # A connection for each: one that rolls back forgets what was prepared on it, which those of the pool never do.
    with closing(Pooled()) as pooled:
        search_agrees(data, Door(pooled))


@holds(25)
def test_restrictions_are_those_of_the_people_whom_a_rule_covers(data: Any, django_door: Door) -> None:
    """For each directive, ``monitor`` ones included: the SQL, the rows a run writes, and no drift afterwards."""
    with drawn(data, django_door) as example:
        for rule in example.policy.directives:
            wanted = [p for p in example.people if example.reading.of(p) in example.population]
            wanted = [p for p in wanted if applies(rule, example.reading.of(p))]
            source = from_people(organisation=reads_organisation([rule.rule]))
            ids = Sql(f", ARRAY(SELECT p.id FROM {source} WHERE {POPULATION} AND ") + restricted(rule)
            statement = Sql("SELECT (SELECT value FROM enforcement_policyepoch)") + ids + Sql(" ORDER BY p.id)")
            assert on_one_epoch(lambda _, asked=statement: asked, source=django_door.source)[1][0][1] == wanted
            reconcile(directive_id=rule.directive_id, version_id=1, rule=rule)
            rows = django_door.execute(
                "SELECT person_id FROM enforcement_restriction WHERE directive_id = %s ORDER BY 1", [rule.directive_id]
            )
            assert [row[0] for row in rows] == wanted
            found = drift(rule.directive_id, rule)
            assert (found.missing, found.extra) == (0, 0)


@holds(40)
def test_a_preview_counts_the_decisions_that_turn(data: Any, django_door: Door) -> None:
    with drawn(data, django_door) as example:
        asked = example.world
        candidate = Candidate("D", 1, "", asked.candidate, asked.replaces, asked.ends_waivers)
        assert Counted.of(example) == Counted.told(compute(candidate, fingerprint=False))


@dataclass
class Counted:
    """The figures of a preview: as it tells them, or counted one by one with ``evaluate``."""

    population: int = 0
    covered: int = 0
    unknown: int = 0
    lose_access: int = 0
    regain_access: int = 0
    to_verify: int = 0
    keep_by_waiver: int = 0
    decisions_flipped: int = 0
    decisions_regained: int = 0
    released: int = 0
    by: tuple[dict[str, int], ...] = ({}, {}, {}, {})

    @classmethod
    def told(cls, preview: Preview) -> Counted:
        by = (
            {kind: count for kind, count in preview.lose_access_by_kind.items() if count},
            preview.lose_access_by_department,
            preview.lose_access_by_organisation,
            preview.lose_access_by_location,
        )
        names = [name for name in cls.__dataclass_fields__ if name != "by"]
        return cls(**{name: getattr(preview, name) for name in names}, by=by)

    @classmethod
    def of(cls, example: Example) -> Counted:
        counted = cls(by=({}, {}, {}, {}))
        for subject in example.population:
            counted._add(subject, example)
        return counted

    def _add(self, subject: Subject, example: Example) -> None:
        asked, before = example.world, example.policy
        rule = asked.candidate
        after = with_directive(before, rule, without=asked.replaces)
        left = {(d, item) for d, item in subject.waivers if not (asked.ends_waivers and d == rule.directive_id)}
        later = subject._replace(waivers=frozenset(left))
        keys = before.model_capabilities
        now = {key for key in keys if evaluate(before, subject, *key).permit}
        then = {key for key in keys if evaluate(after, later, *key).permit}
        truth, denies = rule_truth(rule, subject), rule.effect == "deny" and applies(rule, subject)
        in_scope = {key for key, item in keys.items() if item.id in rule.scope}
        ending = {rule.directive_id} | asked.replaces
        was = any(applies(other, subject) for other in before.directives if other.directive_id in ending)
        lost, gained = now - then, then - now
        self.population += 1
        self.covered += truth is True
        self.unknown += truth is None
        self.lose_access += bool(lost)
        self.regain_access += bool(gained)
        self.to_verify += truth is None and rule.on_unknown == "verify" and bool(then & in_scope)
        self.keep_by_waiver += denies and bool(now & in_scope) and not lost
        self.decisions_flipped += len(lost)
        self.decisions_regained += len(gained)
        self.released += was and not denies
        if lost:
            for counts, slot in zip(self.by, (KIND, DEPARTMENT, ORGANISATION, LOCATION), strict=True):
                name = subject.states[0][slot] or ""
                counts[name] = counts.get(name, 0) + 1
