"""A process that changes one thing back and forth: a directive, a person's record, or a waiver.

``python -m tests.enforcement.stale.change LANE NUMBER FILE``. Each line of the file is a JSON list: the number of the change, the id of its
transaction, what the person may do after it, and when its commit began and had returned (the machine's monotonic clock).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import django

django.setup()

from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from governance.accounts.actor import Actor  # noqa: E402
from governance.accounts.models import User  # noqa: E402
from governance.catalog.models import ModelCapability  # noqa: E402
from governance.directives import services as directives  # noqa: E402
from governance.directives.content import DirectiveStatement, ScopeLine, VersionStatement  # noqa: E402
from governance.enforcement import tasks  # noqa: E402
from governance.enforcement.services import lifecycle  # noqa: E402
from governance.enforcement.services.exceptions import file_exception  # noqa: E402
from governance.waivers.models import Waiver  # noqa: E402
from governance.waivers.services import decide_exception  # noqa: E402

REFERENCE = "US-2026-06-12"
PAUSE = 0.02
tasks._send = lambda run_id: False  # there is no broker here; decisions wait for no run


def _as(name: str) -> Actor:
    return Actor.for_user(User.objects.get(username=name))


class DirectiveLane:
    """Directives that cover one person (p011) alone, activated and rescinded in turn."""

    def prepare(self, number: int) -> None:
        if number % 2:
            lifecycle.ask(actor=_as("lucia"), reference=self.reference, act="rescission", reason="test")
            return
        self.reference = f"STALE-{number}"
        model = ModelCapability.objects.get(model__slug="fable-5", capability__slug="use").model_id
        version = VersionStatement(
            rule={"attr": "person.id", "op": "is", "value": "p011"}, scope=(ScopeLine(model, None),), legal_basis="test"
        )
        directives.create_directive(
            actor=_as("anjali"), statement=DirectiveStatement(reference=self.reference, title="Stale", version=version)
        )
        lifecycle.submit(actor=_as("lucia"), reference=self.reference)
        lifecycle.vote(actor=_as("peter"), reference=self.reference, verdict="approve")

    def change(self, number: int) -> bool:
        if number % 2:
            lifecycle.vote(actor=_as("idris"), reference=self.reference, verdict="approve")
            return True
        lifecycle.activate(actor=_as("lucia"), reference=self.reference)
        return False


class RecordLane:
    """One person's (p009) citizenship, by raw SQL as a shell session would."""

    def prepare(self, number: int) -> None:
        pass

    def change(self, number: int) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE people_person SET citizenships = %s WHERE id = 'p009'", [["CN"] if number % 2 else ["US"]]
            )
        return not number % 2


class WaiverLane:
    """Waivers for one person (p010), opened by the last approval and ended in turn."""

    def prepare(self, number: int) -> None:
        if number % 2:
            return
        self.request = file_exception(
            actor=_as("hana"), reference=REFERENCE, person_id="p010", items=[("fable-5", "use")], days=9, reason="test"
        )
        decide_exception(actor=_as("idris"), exception_id=self.request.pk, verdict="approve")

    def change(self, number: int) -> bool:
        if number % 2:
            before = timezone.now() - timedelta(seconds=5)  # so that its dates are not what decides
            Waiver.objects.filter(person_id="p010", ended_at=None).update(ended_at=before, end_reason="test")
            return False
        decide_exception(actor=_as("peter"), exception_id=self.request.pk, verdict="approve")
        return True


LANES: dict[str, Callable[[], DirectiveLane | RecordLane | WaiverLane]] = {
    "directive": DirectiveLane,
    "record": RecordLane,
    "waiver": WaiverLane,
}


def main(lane_name: str, changes: int, file: Path) -> None:
    lane = LANES[lane_name]()
    lines = []
    for number in range(changes):
        lane.prepare(number)
        with transaction.atomic():
            permit = lane.change(number)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_current_xact_id()::text::bigint")
                xid = cursor.fetchone()[0]
            began = time.monotonic()
        lines.append(json.dumps([number, xid, permit, began, time.monotonic()]))
        time.sleep(PAUSE)
    file.write_text("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
