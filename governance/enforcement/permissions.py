"""What lies beside the rules for an explanation: a person's waivers and grants with their dates, what is asked, their manager.

Decisions read of these only what is in force. An explanation also lists what has ended or not begun, so that nobody has to
guess whether it was looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.enforcement.sources import DJANGO, Source

IN_FORCE, NOT_BEGUN, ENDED, SET_ASIDE = "in_force", "not_begun", "ended", "set_aside"
STATES = {
    IN_FORCE: "in force",
    NOT_BEGUN: "not begun",
    ENDED: "ended",
    SET_ASIDE: "does not count: the person has left, or a move to another organisation waits",
}


@dataclass(frozen=True)
class Waiver:
    id: int
    exception: int | None  # none: two people opened it at once
    directive_id: int
    starts_at: datetime
    ends_at: datetime  # when it ended, if that was sooner than agreed
    items: frozenset[int]

    def state(self, now: datetime) -> str:
        return _state(self.starts_at, self.ends_at, now)


@dataclass(frozen=True)
class Grant:
    """``organisation`` names the organisation that it was given to, where it was not given to the person."""

    id: int
    organisation: str | None
    item_id: int
    starts_at: datetime
    ends_at: datetime

    def state(self, now: datetime) -> str:
        return _state(self.starts_at, self.ends_at, now)


@dataclass(frozen=True)
class Asked:
    """An exception that waits to be decided."""

    id: int
    directive_id: int
    days: int
    items: frozenset[int]


@dataclass(frozen=True)
class OnFile:
    manager: str | None = None
    waivers: tuple[Waiver, ...] = ()
    grants: tuple[Grant, ...] = ()
    asked: tuple[Asked, ...] = ()


NOTHING = OnFile()


def _state(starts_at: datetime, ends_at: datetime, now: datetime) -> str:
    if now < starts_at < ends_at:
        return NOT_BEGUN
    return IN_FORCE if now < ends_at else ENDED


# A grant that was ended counts no more from then on, whatever the moment that stands there.
_ON_FILE = """
SELECT p.id, p.manager_id,
       (SELECT jsonb_agg(jsonb_build_array(w.id, w.request_id, w.directive_id, w.starts_at,
                                           least(w.ends_at, coalesce(w.ended_at, w.ends_at)),
                         (SELECT jsonb_agg(c.model_capability_id) FROM waivers_waivercapability c WHERE c.waiver_id = w.id))
                         ORDER BY w.id)
          FROM waivers_waiver w WHERE w.person_id = p.id),
       (SELECT jsonb_agg(jsonb_build_array(g.id, g.organisation_id, g.model_capability_id, g.starts_at,
                                           least(g.ends_at, g.ended_at,
                                                 CASE WHEN g.ended_at IS NOT NULL THEN statement_timestamp() END))
                         ORDER BY g.id)
          FROM waivers_grant g WHERE g.person_id = p.id OR g.organisation_id = p.org_id),
       (SELECT jsonb_agg(jsonb_build_array(r.id, r.directive_id, r.days,
                         (SELECT jsonb_agg(i.modelcapability_id) FROM waivers_exceptionrequest_model_capabilities i
                           WHERE i.exceptionrequest_id = r.id)) ORDER BY r.id)
          FROM waivers_exceptionrequest r WHERE r.person_id = p.id AND r.state = 'open')
  FROM people_person p WHERE p.id = ANY(%s)
"""


def on_file(person_ids: Iterable[str], source: Source = DJANGO) -> dict[str, OnFile]:
    """What is on file for each of these people, in one statement. Raises ``CannotDecide``."""
    rows = source.rows(_ON_FILE, (list(set(person_ids)),))
    return {
        person_id: OnFile(
            manager,
            tuple(
                Waiver(number, exception, directive, _time(start), _time(end), frozenset(items or ()))
                for number, exception, directive, start, end, items in _lines(waivers)
            ),
            tuple(
                Grant(number, organisation, item, _time(start), _time(end))
                for number, organisation, item, start, end in _lines(grants)
            ),
            tuple(
                Asked(number, directive, days, frozenset(items or ()))
                for number, directive, days, items in _lines(asked)
            ),
        )
        for person_id, manager, waivers, grants, asked in rows
    }


def _lines(value: Any) -> list[list[Any]]:
    """Django hands jsonb over as text, psycopg by itself as values."""
    return (json.loads(value) if isinstance(value, str) else value) or []


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
