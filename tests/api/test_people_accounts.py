"""Delegations, notifications, permissions on objects and held changes for people's own programs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.accounts import objects
from governance.accounts.models import User
from governance.approvals.models import Delegation
from governance.catalog.models import AIModel
from governance.enforcement.decision import decide
from governance.enforcement.services.people import import_people
from governance.ledger.models import Entry
from governance.notifications.services import read_outbox
from governance.people.models import HeldPerson, HeldVerdict
from tests.api.test_people import Program
from tests.people.test_loosening import people_file
from tests.waivers.test_exceptions import file

pytestmark = pytest.mark.django_db


def giving(**changes: Any) -> dict[str, Any]:
    return {
        "delegate": "maren",
        "ends_at": (timezone.now() + timedelta(days=3)).isoformat(),
        "reason": "leave",
    } | changes


# -- delegations -------------------------------------------------------------------------------------------------------


def test_a_delegation_is_given_seen_by_both_and_ended_at_once() -> None:
    given = Program("idris").post("delegations", giving())
    assert (given.status_code, given.json()["delegate"], given.json()["over"]) == (201, "maren", False)
    number = given.json()["id"]
    for name in ("idris", "maren", "admin"):
        assert [one["id"] for one in Program(name).get("delegations").json()["delegations"]] == [number]
    assert Program("peter").get("delegations").json()["delegations"] == []
    assert Program("peter").post(f"delegations/{number}/revoke").status_code == 404
    assert Program("idris").post("delegations", giving()).status_code == 409
    assert Program("maren").post(f"delegations/{number}/revoke").json()["over"]
    assert Program("idris").post(f"delegations/{number}/revoke").status_code == 409


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"delegate": "idris"}, "delegate"), ({"delegate": "nobody"}, "delegate"), ({"delegate": 5}, "delegate"),
        ({"ends_at": "tomorrow"}, "ends_at"), ({"ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
        ({"ends_at": "2026-12-01T00:00:00"}, "ends_at"),
        ({"starts_at": None}, "starts_at"), ({"reason": " "}, "reason"), ({"reason": "x" * 201}, "reason"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_delegation_is_named(changes: Any, field: str) -> None:
    refused = Program("idris").post("delegations", giving(**changes))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
    assert not Delegation.objects.exists()


# -- notifications -----------------------------------------------------------------------------------------------------


def test_an_account_reads_what_it_was_told_and_nobody_elses(act_as: Any, in_force: Any) -> None:
    file(act_as("hana"))
    connection.cursor().execute("UPDATE ledger_outboxevent SET xid = 1")
    read_outbox()
    found = Program("idris").get("notifications").json()
    assert found["unread"] == len(found["notifications"]) > 0
    assert any("Wei Zhang" in one["title"] for one in found["notifications"])
    assert Program("wei").get("notifications").json()["notifications"] == []
    assert Program("wei").post("notifications/read").json() == {"read": 0}
    assert Program("idris").post("notifications/read").json() == {"read": found["unread"]}
    assert Program("idris").get("notifications?only=unread").json()["notifications"] == []
    assert Program("idris").get("notifications?only=odd").status_code == 400


# -- permissions on one object -----------------------------------------------------------------------------------------

STEWARDS = "objects/models/fable-5/permissions"


def test_an_administrator_gives_and_takes_and_never_to_themselves() -> None:
    admin, sent = Program("admin"), {"permission": objects.STEWARD, "account": "tomas"}
    given = admin.post(STEWARDS, sent)
    assert given.status_code == 201
    assert given.json()["given"] == [{"permission": objects.STEWARD, "to": "account", "name": "tomas"}]
    assert objects.has(User.objects.get(username="tomas"), objects.STEWARD, AIModel.objects.get(slug="fable-5"))
    assert admin.post(STEWARDS, sent).status_code == 409
    assert admin.post(STEWARDS, sent | {"account": "admin"}).status_code == 403
    assert Program("auditor").get(STEWARDS).json()["given"] == given.json()["given"]
    assert admin.post(f"{STEWARDS}/take", sent).json()["given"] == []
    assert admin.post(f"{STEWARDS}/take", sent).status_code == 404


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"permission": "emperor", "account": "tomas"}, "permission"), ({"permission": objects.STEWARD}, "account"),
        ({"permission": objects.STEWARD, "account": "nobody"}, "account"), ({"permission": objects.STEWARD, "role": "nobody"}, "role"),
        ({"permission": objects.STEWARD, "role": "executive", "account": "tomas"}, "account"), ({"account": "tomas"}, "permission"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_permission_is_named(sent: Any, field: str) -> None:
    refused = Program("admin").post(STEWARDS, sent)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)


def test_nobody_else_gives_or_reads_them() -> None:
    sent = {"permission": objects.STEWARD, "account": "idris"}
    for name in ("idris", "lucia", "hana", "wei"):
        assert Program(name).get(STEWARDS).status_code == 403
        assert Program(name).post(STEWARDS, sent).status_code == 403
        assert Program(name).post(f"{STEWARDS}/take", sent).status_code == 403
    assert Program("auditor").post(STEWARDS, sent).status_code == 403
    for where in (
        "objects/models/none/permissions",
        "objects/emperors/fable-5/permissions",
        "objects/models/a%00/permissions",
    ):
        assert Program("admin").get(where).status_code == 404
        assert Program("admin").post(where, sent).status_code == 404
    assert not Entry.objects.filter(action__startswith="object_permission.").exists()


# -- held changes ------------------------------------------------------------------------------------------------------


@pytest.fixture
def held(tmp_path: Path, machine: Any, in_force: Any) -> HeldPerson:
    import_people(
        actor=machine, organisations_file=None,
        people_file=people_file(tmp_path / "p.csv", {"p009": {"citizenships": "US"}, "p010": {"citizenships": "US"}}),
    )  # fmt: skip
    return HeldPerson.objects.get(pk="p009")


def test_a_second_person_confirms_what_they_read(held: HeldPerson) -> None:
    teo = Program("teo")
    page = teo.get("held/people?limit=1").json()
    (row,) = page["held"]
    assert (row["id"], page["next"], row["refusal"]) == ("p009", "p009", None)
    assert row["if_confirmed"]["decisions"] > 0
    assert row["differences"] == [{"label": "Citizenships", "hidden": True, "before": "", "after": ""}]
    assert [each["id"] for each in teo.get("held/people?after=p009").json()["held"]] == ["p010"]
    assert Entry.objects.filter(action="look.list", actor="teo").count() == 2
    sent = {"verdict": "confirm", "proposed_at": row["proposed_at"]}
    stale = teo.post("held/people/p009", sent | {"proposed_at": "2026-01-01T00:00:00Z"})
    assert stale.status_code == 409
    assert teo.post("held/people/p009", sent | {"verdict": "perhaps"}).status_code == 422
    assert teo.post("held/people/p001", sent).status_code == 404
    assert teo.post("held/roles/p009", sent).status_code == 404
    assert teo.post("held/people/p009", sent).json() == {"id": "p009", "verdict": "confirm"}
    assert decide("p009", "fable-5", "use").permit
    assert teo.post("held/people/p009", sent).status_code == 404
    assert not decide("p010", "fable-5", "use").permit


def test_who_proposed_it_and_who_has_no_right_does_not_decide(held: HeldPerson) -> None:
    HeldPerson.objects.update(proposed_by="teo")
    sent = {"verdict": "confirm", "proposed_at": held.proposed_at.isoformat()}
    for name in ("lucia", "maren", "auditor", "admin", "hana", "wei", "teo"):
        assert Program(name).post("held/people/p009", sent).status_code == 403, name
    assert "You proposed it" in Program("teo").get("held/people").json()["held"][0]["refusal"]
    assert "does not decide" in Program("auditor").get("held/people").json()["held"][0]["refusal"]
    for name in ("hana", "wei", "maren"):
        assert Program(name).get("held/people").status_code == 403
    assert Program("teo").get("held/organisations").json() == {"held": [], "next": None}
    assert not HeldVerdict.objects.exists()


def test_the_list_costs_the_same_for_one_and_for_two(held: HeldPerson) -> None:
    program, counts = Program("peter"), []
    program.get("held/people")  # the compiled policy is read
    for limit in (1, 2):
        with CaptureQueriesContext(connection) as captured:
            assert len(program.get(f"held/people?limit={limit}").json()["held"]) == limit
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 25
