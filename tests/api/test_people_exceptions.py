"""Exceptions for people's own programs: several in one go, drafts, edits, conditions; the rules are those of the pages."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from governance.accounts.models import User
from governance.approvals.models import Request
from governance.enforcement.decision import decide as decision
from governance.waivers import services
from governance.waivers.models import ExceptionDraft, ExceptionRequest, Waiver
from tests.api.test_people import FILING, Program, decide
from tests.conftest import PASSWORD, REFERENCE, put_in_force
from tests.races import at_once
from tests.waivers.test_life import accepting

pytestmark = pytest.mark.django_db
USE = [{"model": "fable-5", "capability": "use"}]
TERMS = {"days": 10, "reason": "weekly evaluation", "mitigation": "supervised", "conditions": "Only on Tuesdays."}
SEVERAL = TERMS | {
    "directive": REFERENCE, "people": [{"person": "p009", "items": USE}, {"person": "p010", "items": USE}],
}  # fmt: skip


def test_several_are_filed_in_one_go_or_none(in_force: Any) -> None:
    hana = Program("hana")
    filed = hana.post("exceptions/several", SEVERAL)
    assert filed.status_code == 201
    assert [one["person"] for one in filed.json()["exceptions"]] == ["p009", "p010"]
    more = [{"person": "p012", "items": USE}, {"person": "p009", "items": USE}]
    again = hana.post("exceptions/several", SEVERAL | {"people": more})
    assert (again.status_code, again.json()["errors"][0]["field"]) == (422, "person-p009")
    assert ExceptionRequest.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"people": "p009"}, 422, "people"), ({"people": []}, 422, "person"), ({"people": [{"items": USE}]}, 422, "people[0].person"),
        ({"people": [{"person": "p009"}]}, 422, "people[0].items"),
        ({"people": [{"person": "p009", "items": [{"model": 1}]}]}, 422, "people[0].items[0].model"),
        ({"people": [{"person": "p009", "items": USE}] * 2}, 422, "people[1].person"), ({"days": 91}, 422, "days"),
        ({"conditions": "x" * 1001}, 422, "conditions"), ({"reason": ""}, 422, "reason"),
        ({"people": [{"person": "p001", "items": USE}]}, 403, ""), ({"people": [{"person": "nobody", "items": USE}]}, 403, ""),
        ({"directive": "NONE"}, 404, ""),
    ],
)  # fmt: skip
def test_what_is_wrong_with_several_is_named(changes: Any, status: int, field: str, in_force: Any) -> None:
    answer = Program("hana").post("exceptions/several", SEVERAL | changes)
    assert answer.status_code == status, answer.json()
    if field:
        assert answer.json()["errors"][0]["field"] == field
    assert not Request.objects.filter(kind="exception").exists()


# -- edits -------------------------------------------------------------------------------------------------------------


def test_an_edit_voids_decisions_and_a_late_decision_is_told_what_changed(in_force: Any) -> None:
    hana, peter = Program("hana"), Program("peter")
    filed = hana.post("exceptions", FILING).json()
    assert decide("idris", filed["approval"]).status_code == 201
    read = peter.get(f"approvals/{filed['approval']}").json()["content_digest"]
    edited = hana.put(f"exceptions/{filed['id']}", TERMS | {"items": USE, "days": 12})
    assert (edited.status_code, edited.json()["void"]) == (200, 1)
    assert edited.json()["exception"]["conditions"][-1] == "Only on Tuesdays."
    late = peter.post(f"approvals/{filed['approval']}/votes", {"verdict": "approve", "content_digest": read})
    assert (late.status_code, late.json()["code"]) == (409, "content_changed")
    assert late.json()["changed"] == ["conditions", "days", "mitigation"]
    assert late.json()["now"]["revision"] == 2
    assert "12 days" in late.json()["now"]["summary"]
    again = hana.put(f"exceptions/{filed['id']}", TERMS | {"items": USE, "days": 12})
    assert (again.status_code, "Nothing was changed" in again.json()["detail"]) == (409, True)


@pytest.mark.parametrize(("name", "status"), [("idris", 403), ("wei", 403), ("teo", 404), ("jonas", 404)])
def test_nobody_but_the_filer_edits(name: str, status: int, in_force: Any) -> None:
    filed = Program("hana").post("exceptions", FILING).json()
    assert Program(name).put(f"exceptions/{filed['id']}", TERMS | {"items": USE}).status_code == status
    assert ExceptionRequest.objects.get().revision == 1


def test_a_condition_is_added_by_whoever_decides(in_force: Any) -> None:
    filed = Program("hana").post("exceptions", FILING).json()
    decide("idris", filed["approval"], condition="Write it down.")
    done = decide("peter", filed["approval"])
    assert done.json()["state"] == "approved"
    shown = Program("wei").get(f"exceptions/{filed['id']}").json()
    assert (shown["state"], shown["conditions"]) == ("accepting", ["Write it down."])


# -- conditions --------------------------------------------------------------------------------------------------------


def test_the_person_accepts_or_declines_and_nobody_else(act_as: Any, in_force: Any) -> None:
    request = accepting(act_as)
    shown = Program("wei").get(f"exceptions/{request.pk}").json()
    sent = {"conditions_digest": shown["conditions_digest"]}
    for name in ("hana", "idris", "peter", "admin"):
        for act in ("accept", "decline"):
            assert Program(name).post(f"exceptions/{request.pk}/{act}", sent).status_code == 404
    stale = Program("wei").post(f"exceptions/{request.pk}/accept", {"conditions_digest": "x"})
    assert (stale.status_code, stale.json()["code"]) == (409, "content_changed")
    assert Program("wei").post(f"exceptions/{request.pk}/accept", {}).status_code == 422
    done = Program("wei").post(f"exceptions/{request.pk}/accept", sent)
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    assert decision("p009", "fable-5", "use").permit
    assert Program("wei").post(f"exceptions/{request.pk}/decline", sent).status_code == 409


def test_what_is_declined_opens_nothing(act_as: Any, in_force: Any) -> None:
    request = accepting(act_as)
    sent = {"conditions_digest": request.conditions_digest, "words": "Not alone."}
    done = Program("wei").post(f"exceptions/{request.pk}/decline", sent).json()
    assert (done["state"], done["waiver"]) == ("declined", None)
    assert Program("hana").get(f"exceptions/{request.pk}").json()["close_reason"] == "Not alone."
    assert not Waiver.objects.exists()


def test_the_reason_is_not_for_the_person_it_is_about(in_force: Any) -> None:
    filed = Program("hana").post("exceptions", FILING).json()
    assert filed["reason"] == FILING["reason"]
    assert Program("wei").get(f"exceptions/{filed['id']}").json()["reason"] is None
    assert Program("peter").get(f"exceptions/{filed['id']}").json()["reason"] == FILING["reason"]


# -- drafts ------------------------------------------------------------------------------------------------------------


def test_a_draft_is_kept_as_sent_changed_filed_once_and_over(in_force: Any) -> None:
    hana = Program("hana")
    odd = {"directive": REFERENCE, "people": [{"person": "p009"}], "days": "soon", "reason": "half a sen"}
    made = hana.post("drafts", odd)
    assert made.status_code == 201
    key = made.json()["key"]
    assert made["Location"] == f"/api/v1/drafts/{key}"
    assert (made.json()["days"], made.json()["people"]) == ("soon", [{"person": "p009", "items": []}])
    refused = hana.post(f"drafts/{key}/file")
    assert refused.status_code == 422
    assert {error["field"] for error in refused.json()["errors"]} == {"capabilities", "days"}
    assert not ExceptionRequest.objects.exists()
    for _ in range(2):  # sent twice, it is one draft
        assert hana.put(f"drafts/{key}", SEVERAL).json()["days"] == "10"
    assert [one["key"] for one in hana.get("drafts").json()["drafts"]] == [key]
    filed = hana.post(f"drafts/{key}/file")
    assert (filed.status_code, len(filed.json()["exceptions"])) == (201, 2)
    for again in (hana.post(f"drafts/{key}/file"), hana.put(f"drafts/{key}", SEVERAL)):
        assert (again.status_code, "is over" in again.json()["detail"]) == (409, True)
    assert ExceptionRequest.objects.count() == 2
    assert hana.get("drafts").json()["drafts"] == []


def test_a_draft_is_its_authors_alone(in_force: Any) -> None:
    key = Program("hana").post("drafts", SEVERAL).json()["key"]
    for name in ("maren", "idris", "wei", "admin"):
        other = Program(name)
        assert other.get(f"drafts/{key}").status_code == 404
        assert other.put(f"drafts/{key}", SEVERAL).status_code in (403, 404)
        assert other.post(f"drafts/{key}/file").status_code == 404
        assert other.delete(f"drafts/{key}").status_code == 404
        assert other.post(f"drafts/{key}/decline", {"answer": "no"}).status_code == 404
    assert Program("hana").post("drafts", SEVERAL | {"people": [{"person": "p001"}]}).status_code == 403
    assert Program("hana").delete(f"drafts/{key}").status_code == 204
    assert Program("hana").get(f"drafts/{key}").status_code == 404
    assert Program("hana").get(f"drafts/{uuid4()}").status_code == 404
    assert Program("hana").get("drafts/none").status_code == 404


def test_drafts_come_in_pages_at_a_constant_cost(in_force: Any) -> None:
    hana, counts = Program("hana"), []
    for _ in range(3):
        hana.post("drafts", SEVERAL)
        with CaptureQueriesContext(connection) as captured:
            first = hana.get("drafts?limit=1").json()
        counts.append(len(captured))
    assert counts[1] == counts[2] <= 12
    seen = [first["drafts"][0]["key"]]
    while first["next"]:
        first = hana.get(f"drafts?limit=1&after={first['next']}").json()
        seen.append(first["drafts"][0]["key"])
    assert len(set(seen)) == len(seen) == 3
    assert hana.get("drafts?after=x").status_code == 400


def test_a_draft_is_filed_once_however_often_it_is_sent_at_once(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    hana = Program("hana")
    key = hana.post("drafts", SEVERAL).json()["key"]
    results = at_once(*(lambda: hana.post(f"drafts/{key}/file").status_code for _ in range(3)))
    assert sorted(results)[0] == 201
    assert all(status in (404, 409, 422) for status in sorted(results)[1:]), results
    assert ExceptionRequest.objects.count() == 2


def test_somebody_asks_the_manager_files_or_answers(in_force: Any) -> None:
    wei, hana = Program("wei"), Program("hana")
    sent = {"directive": REFERENCE, "words": "The weekly evaluation stops."}
    asked = wei.post("asks", sent)
    assert (asked.status_code, asked.json()["state"]) == (201, "draft")
    assert wei.post("asks", sent).status_code == 409
    assert wei.post("asks", {"directive": REFERENCE, "words": " "}).status_code in (409, 422)
    key = asked.json()["key"]
    (draft,) = hana.get("drafts").json()["drafts"]
    assert (draft["asked_by"], draft["days"], draft["asked_for"]) == ("p009", "14", sent["words"])
    assert wei.get("drafts").json()["drafts"] == []
    assert wei.post(f"drafts/{key}/file").status_code == 404
    assert hana.delete(f"drafts/{key}").status_code == 409
    assert hana.post(f"asks/{key}/take-back").status_code == 404
    assert hana.post(f"drafts/{key}/decline", {"answer": "It can wait."}).status_code == 204
    assert [(one["state"], one["answer"]) for one in wei.get("asks").json()["asks"]] == [("declined", "It can wait.")]
    key = wei.post("asks", sent).json()["key"]
    assert wei.post(f"asks/{key}/take-back").json()["state"] == "taken_back"
    assert ExceptionDraft.objects.count() == 2


def test_what_an_account_may_not_see_is_not_there(act_as: Any, in_force: Any) -> None:
    filed = Program("hana").post("exceptions", FILING).json()
    stranger = User.objects.create_user("ella", "ella.tremblay@example.net", PASSWORD)
    ella = Program(stranger.username)
    assert ella.get(f"exceptions/{filed['id']}").status_code == 404
    assert ella.get("exceptions").json()["exceptions"] == []
    for act in ("withdraw", "accept", "decline"):
        sent = {"conditions_digest": "x"}
        assert ella.post(f"exceptions/{filed['id']}/{act}", sent).status_code == 404
    assert ella.post(f"approvals/{filed['approval']}/withdraw").status_code == 404
    assert services.withdraw_exception(actor=act_as("hana"), exception_id=filed["id"]).state == "withdrawn"


def test_requests_are_taken_back_and_handed_over(in_force: Any) -> None:
    filed = Program("hana").post("exceptions", FILING).json()
    where = f"approvals/{filed['approval']}"
    stage = Program("idris").get(where).json()["stages"][0]["id"]
    sent = {"stage": stage, "to": "lucia", "reason": "On leave."}
    assert Program("hana").post(f"{where}/hand-over", sent).status_code == 403
    assert Program("idris").post(f"{where}/hand-over", sent | {"to": "nobody"}).status_code == 422
    assert Program("idris").post(f"{where}/hand-over", sent | {"stage": "first"}).status_code == 422
    assert Program("idris").post(f"{where}/hand-over", sent | {"to": "hana"}).status_code == 403
    assert Program("idris").post(f"{where}/hand-over", sent).status_code == 200
    assert Program("lucia").get(where).json()["standing"]["may_decide"]
    assert Program("idris").post(f"{where}/withdraw").status_code == 403
    assert Program("hana").post(f"{where}/withdraw").json()["state"] == "withdrawn"
    assert Program("hana").get(f"exceptions/{filed['id']}").json()["state"] == "withdrawn"
