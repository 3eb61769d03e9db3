"""Waivers and break-glass for people's own programs."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from governance.accounts.models import User
from governance.accounts.rights import BREAK_GLASS
from governance.enforcement.decision import decide
from governance.waivers.models import BreakGlass, ExceptionRequest, Waiver
from tests.api.test_people import Program
from tests.conftest import REFERENCE
from tests.waivers.test_exceptions import approve, file
from tests.waivers.test_version_in_force import activate

pytestmark = pytest.mark.django_db
BREAKING = {
    "directive": REFERENCE, "person": "p009", "items": [{"model": "fable-5", "capability": "use"}], "hours": 2,
    "reason": "an incident",
}  # fmt: skip


# -- waivers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sees"), [("lucia", True), ("auditor", True), ("hana", True), ("wei", True), ("jonas", False), ("teo", False)]
)  # fmt: skip
def test_a_waiver_is_seen_by_those_it_concerns(name: str, sees: bool, waived: None) -> None:
    pk, program = Waiver.objects.get().pk, Program(name)
    assert len(program.get("waivers").json()["waivers"]) == sees
    shown = program.get(f"waivers/{pk}")
    assert shown.status_code == (200 if sees else 404)
    assert program.get("waivers/999999").status_code == 404
    if sees:
        assert shown.json()["items"] == BREAKING["items"]
        assert len(program.get("waivers?state=running").json()["waivers"]) == 1
        assert program.get("waivers?state=ended").json()["waivers"] == []
        assert program.get("waivers?state=odd").status_code == 400
    else:
        assert program.post(f"waivers/{pk}/revoke", {"reason": "x"}).status_code == 404
        assert program.post(f"waivers/{pk}/renew").status_code == 404


def test_lists_of_many_cost_no_more_questions(act_as: Any, in_force: Any) -> None:
    program, counts = Program("lucia"), []
    program.get("waivers")  # that the token is used is noted
    for person in ("p009", "p010", "p012"):
        approve(act_as, file(act_as("hana"), person), "idris", "peter")
        with CaptureQueriesContext(connection) as captured:
            found = program.get("waivers?limit=2").json()
        counts.append(len(captured))
    assert counts[0] == counts[1] == counts[2] <= 10
    rest = program.get(f"waivers?limit=2&after={found['next']}").json()
    assert (len(found["waivers"]), len(rest["waivers"]), rest["next"]) == (2, 1, None)


def test_a_waiver_is_revoked_with_a_reason_and_denies_at_once(waived: None) -> None:
    pk = Waiver.objects.get().pk
    for name in ("hana", "wei", "maren", "auditor"):
        assert Program(name).post(f"waivers/{pk}/revoke", {"reason": "x"}).status_code == 403
    missing = Program("lucia").post(f"waivers/{pk}/revoke", {"reason": " "})
    assert (missing.status_code, missing.json()["errors"][0]["field"]) == (422, "reason")
    assert Program("lucia").post(f"waivers/{pk}/revoke", {}).status_code == 422
    done = Program("lucia").post(f"waivers/{pk}/revoke", {"reason": "Not supervised."}).json()
    assert done["end_reason"] == "Not supervised."
    assert done["ended_at"] is not None
    assert decide("p009", "fable-5", "use").code == "directive"
    assert Program("lucia").post(f"waivers/{pk}/revoke", {"reason": "again"}).status_code == 409


def test_a_renewal_is_a_new_exception_that_passes_every_stage(waived: None) -> None:
    pk = Waiver.objects.get().pk
    for name in ("wei", "lucia", "idris"):
        assert Program(name).post(f"waivers/{pk}/renew").status_code == 403
    asked = Program("hana").post(f"waivers/{pk}/renew")
    assert (asked.status_code, asked.json()["renews"], asked.json()["state"]) == (201, pk, "open")
    assert [stage["state"] for stage in asked.json()["stages"]] == ["open", "waiting"]
    assert Program("hana").post(f"waivers/{pk}/renew").status_code == 409
    assert (Waiver.objects.count(), ExceptionRequest.objects.count()) == (1, 2)
    assert Program("hana").get(f"waivers/{pk}").json()["renewals"] == [asked.json()["id"]]


# -- break-glass -------------------------------------------------------------------------------------------------------


@pytest.fixture
def company(in_force: Any, act_as: Any) -> None:
    activate(act_as, waivable="company")
    User.objects.get(username="lucia").groups.add(Group.objects.get(name=BREAK_GLASS))


def test_two_open_it_and_a_third_reviews(company: None) -> None:
    asked = Program("idris").post("break-glass", BREAKING)
    assert asked.status_code == 201
    where, sent = f"break-glass/{asked.json()['id']}", {"content_digest": asked.json()["content_digest"]}
    assert not Waiver.objects.exists()
    own = Program("idris").post(f"{where}/confirm", sent)
    assert (own.status_code, "second person" in own.json()["detail"]) == (403, True)
    assert Program("maren").post(f"{where}/confirm", {"content_digest": "x"}).status_code == 409
    assert Program("peter").post(f"{where}/confirm", sent).status_code == 403
    done = Program("maren").post(f"{where}/confirm", sent)
    assert (done.status_code, done.json()["waiver"]) == (200, Waiver.objects.get().pk)
    assert decide("p009", "fable-5", "use").code == "waiver"
    assert Program("lucia").post(f"{where}/confirm", sent).status_code == 409
    review = {"verdict": "not_needed", "review": "The log shows why."}
    for name in ("idris", "maren"):
        assert Program(name).post(f"{where}/review", review).status_code == 403
    assert Program("peter").post(f"{where}/review", review | {"review": " "}).status_code == 422
    assert Program("peter").post(f"{where}/review", review | {"verdict": "perhaps"}).status_code == 422
    assert Program("peter").post(f"{where}/review", review).json()["reviewed_by"] == "peter"
    assert decide("p009", "fable-5", "use").code == "directive"
    assert Program("peter").post(f"{where}/review", review).status_code == 409


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"hours": 5}, 422, "hours"), ({"hours": "2"}, 422, "hours"), ({"hours": None}, 422, "hours"), ({"reason": ""}, 422, "reason"),
        ({"items": []}, 422, "capabilities"), ({"items": [{"model": "none", "capability": "use"}]}, 422, "capabilities"),
        ({"person": "nobody"}, 404, ""), ({"directive": "NONE"}, 404, ""),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it_is_named(changes: Any, status: int, field: str, company: None) -> None:
    answer = Program("idris").post("break-glass", BREAKING | changes)
    assert answer.status_code == status, answer.json()
    if field:
        assert answer.json()["errors"][0]["field"] == field
    assert not BreakGlass.objects.exists()


def test_it_is_nothing_to_those_who_may_not_see_it(company: None) -> None:
    asked = Program("idris").post("break-glass", BREAKING).json()
    for name in ("wei", "hana", "teo", "admin"):
        program = Program(name)
        assert program.get("break-glass").status_code == 403
        assert program.get(f"break-glass/{asked['id']}").status_code == 404
        assert program.post("break-glass", BREAKING).status_code == 403
        sent = {"content_digest": asked["content_digest"]}
        assert program.post(f"break-glass/{asked['id']}/confirm", sent).status_code == 404
    assert Program("auditor").get("break-glass?state=asked").json()["break_glass"][0]["id"] == asked["id"]
    assert Program("auditor").get("break-glass?state=unreviewed").json()["break_glass"] == []
    assert not Waiver.objects.exists()
