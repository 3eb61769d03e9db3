"""Every way around separation of duties that docs/security.md lists, tried through every door it could be tried through."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.approvals.directive_ways import DIRECTIVE_STATEMENTS
from tests.approvals.doors import DOORS, Attempt, state_of_everything
from tests.approvals.other_ways import ACTS, STATEMENTS
from tests.approvals.program_ways import PROGRAM_ACTS
from tests.approvals.ways import WAYS, Way, filed
from tests.clock import Clock, moved_clock

pytestmark = pytest.mark.django_db
LISTED = Path(settings.BASE_DIR) / "docs" / "security.md"
TRIES = [(way, door) for way in WAYS for door in way.doors]


@pytest.fixture
def clock(in_force: Any) -> Iterator[Clock]:
    with moved_clock() as clock:
        yield clock


@pytest.mark.parametrize(("way", "door"), TRIES, ids=[f"{way.scene.__name__}-{door}" for way, door in TRIES])
def test_nobody_decides_who_must_not(
    way: Way, door: str, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = way.scene(clock)
    before = state_of_everything()
    more = {"monkeypatch": monkeypatch} if door in ("command", "unchecked") else {}
    assert not DOORS[door](attempt, tmp_path, **more), f"{way.words}: got through by {door}"
    assert state_of_everything() == before


@pytest.mark.parametrize("door", sorted(DOORS))
def test_the_doors_open_for_whoever_may_decide(
    door: str, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a test of refusals would show nothing."""
    before = state_of_everything()
    more = {"monkeypatch": monkeypatch} if door in ("command", "unchecked") else {}
    assert DOORS[door](Attempt(filed(), "idris"), tmp_path, **more)
    assert state_of_everything() != before


@pytest.mark.parametrize(
    ("words", "act"), [(each[0], each[2]) for each in ACTS], ids=lambda each: getattr(each, "__name__", "")
)
def test_no_other_act_gets_around_it(words: str, act: Any, clock: Clock, tmp_path: Path) -> None:
    act(clock, tmp_path)


@pytest.mark.parametrize(
    ("words", "act"), [(each[0], each[3]) for each in PROGRAM_ACTS], ids=lambda each: getattr(each, "__name__", "")
)
def test_no_act_around_a_decision_gets_around_it(words: str, act: Any, clock: Clock, tmp_path: Path) -> None:
    act(clock, tmp_path)


@pytest.mark.parametrize(
    ("words", "act"),
    [(each[0], each[2]) for each in (*STATEMENTS, *DIRECTIVE_STATEMENTS)],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_no_statement_gets_around_it(words: str, act: Any, clock: Clock) -> None:
    act(clock)


def rows() -> list[tuple[str, str, str]]:
    """The whole table: what docs/security.md has to say."""
    ways = [(way.words, way.services, way.database) for way in WAYS]
    acts = [(words, services, "not its to know: the act approves nothing") for words, services, _ in ACTS]
    acts += [(words, services, database) for words, services, database, _ in PROGRAM_ACTS]
    statements = (*STATEMENTS, *DIRECTIVE_STATEMENTS)
    return ways + acts + [(words, "no service does it", database) for words, database, _ in statements]


def test_the_list_in_the_documentation_is_the_one_that_is_tried() -> None:
    found = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \|$", LISTED.read_text(), re.MULTILINE)
    assert found == [(str(number), *row) for number, row in enumerate(rows(), start=1)]
    assert len(found) >= 30
