"""Approvals and exceptions for people's own programs: the rules of the pages, by token or by session."""

from __future__ import annotations

import io
import re
from typing import Any

import jsonschema_rs
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.accounts import tokens
from governance.accounts.models import PersonalToken, User
from governance.api.openapi import DOCUMENT
from governance.errors import Invalid, NotFound
from governance.ledger.models import Entry
from tests.approvals.doors import client_of, token_of
from tests.conftest import REFERENCE

pytestmark = pytest.mark.django_db
FILING = {
    "directive": REFERENCE, "person": "p009", "items": [{"model": "fable-5", "capability": "use"}], "days": 10,
    "reason": "weekly evaluation",
}  # fmt: skip


class Program:
    """A person's own program, with their personal token."""

    def __init__(self, name: str, **token: Any) -> None:
        self.headers = {"Authorization": f"Bearer {token_of(User.objects.get(username=name), **token)}"}

    def get(self, path: str) -> Any:
        return as_described("get", path, Client().get(f"/api/v1/{path}", headers=self.headers))

    def post(self, path: str, sent: Any = None) -> Any:
        answer = Client().post(f"/api/v1/{path}", sent or {}, content_type="application/json", headers=self.headers)
        return as_described("post", path, answer)

    def put(self, path: str, sent: Any) -> Any:
        answer = Client().put(f"/api/v1/{path}", sent, content_type="application/json", headers=self.headers)
        return as_described("put", path, answer)

    def delete(self, path: str) -> Any:
        return as_described("delete", path, Client().delete(f"/api/v1/{path}", headers=self.headers))


def as_described(method: str, path: str, answer: Any) -> Any:
    """The answer, held against what the OpenAPI description says of it."""
    address = "/api/v1/" + path.partition("?")[0]
    templates = [
        name for name in DOCUMENT["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", name), address)
    ]  # fmt: skip
    for template in sorted(templates, key=lambda name: name.count("{"))[:1]:
        described = DOCUMENT["paths"][template][method]["responses"][str(answer.status_code)]
        if answer.status_code == 204:
            assert not answer.content
            return answer
        (content,) = described["content"].values()
        jsonschema_rs.validate(content["schema"] | {"components": DOCUMENT["components"]}, answer.json())
    return answer


@pytest.fixture
def filed(in_force: Any) -> dict[str, Any]:
    answer = Program("hana").post("exceptions", FILING)
    assert answer.status_code == 201
    assert answer["Location"] == f"/api/v1/exceptions/{answer.json()['id']}"
    return answer.json()


def decide(name: str, approval: int, **more: Any) -> Any:
    program = Program(name)
    digest = program.get(f"approvals/{approval}").json().get("content_digest", "x")
    return program.post(f"approvals/{approval}/votes", {"verdict": "approve", "content_digest": digest} | more)


def test_an_exception_from_filing_to_its_waiver(filed: dict[str, Any]) -> None:
    assert (filed["state"], filed["waiver"]) == ("open", None)
    assert [stage["state"] for stage in filed["stages"]] == ["open", "waiting"]
    (waiting,) = Program("idris").get("approvals").json()["approvals"]
    assert (waiting["id"], waiting["stage"]) == (filed["approval"], "Trust-and-safety lead")
    assert Program("peter").get("approvals").json()["approvals"] == []
    first = decide("idris", filed["approval"], comment="fine")
    assert first.status_code == 201
    assert first.json()["standing"]["refusal"]["code"] == "decided"
    assert [vote["by"] for vote in first.json()["votes"]] == ["idris"]
    assert decide("peter", filed["approval"]).json()["state"] == "approved"
    done = Program("hana").get(f"exceptions/{filed['id']}").json()
    assert done["state"] == "approved"
    assert done["waiver"]["ended_at"] is None
    assert (
        '"via":"token:' in Entry.objects.get(action="exception.filed").record
        or Entry.objects.get(action="exception.filed").via
    )


@pytest.mark.parametrize(
    ("name", "code"), [("hana", "requester"), ("peter", "not_their_turn"), ("lucia", "not_eligible"), ("wei", None)]
)
def test_it_says_why_somebody_cannot_decide(name: str, code: str | None, filed: dict[str, Any]) -> None:
    seen = Program(name).get(f"approvals/{filed['approval']}")
    refused = decide(name, filed["approval"])
    if code is None:  # what they may not see is not there for them
        assert (seen.status_code, refused.status_code) == (404, 404)
        return
    assert seen.json()["standing"]["refusal"]["code"] == code
    assert (refused.status_code, refused.json()["code"]) == (403, code)
    assert refused["Content-Type"] == "application/problem+json"


def test_a_decision_names_what_was_read(filed: dict[str, Any]) -> None:
    other = decide("idris", filed["approval"], content_digest="0" * 64)
    assert (other.status_code, other.json()["code"]) == (409, "content_changed")
    none = Program("idris").post(f"approvals/{filed['approval']}/votes", {"verdict": "approve"})
    assert none.status_code == 422
    assert none.json()["errors"] == [{"field": "content_digest", "message": "must be text"}]
    assert decide("idris", filed["approval"], verdict="perhaps").status_code == 422


def test_comments_questions_and_answers(filed: dict[str, Any]) -> None:
    where = f"approvals/{filed['approval']}/comments"
    assert Program("idris").post(where, {"kind": "question", "text": "Which dataset?"}).status_code == 201
    assert Program("hana").post(where, {"kind": "answer", "text": "The small one."}).status_code == 201
    assert Program("hana").post(where, {"kind": "answer", "text": "Again."}).status_code == 409
    assert Program("lucia").post(where, {"text": "Seen."}).status_code == 403
    assert Program("wei").post(where, {"text": "Seen."}).status_code == 404
    said = Program("peter").get(f"approvals/{filed['approval']}").json()["comments"]
    assert [(each["by"], each["kind"]) for each in said] == [("idris", "question"), ("hana", "answer")]


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"days": 91}, 422, "days"), ({"days": "ten"}, 422, "days"), ({"days": None}, 422, "days"), ({"reason": " "}, 422, "reason"),
        ({"items": []}, 422, "capabilities"), ({"items": "fable-5/use"}, 422, "items"), ({"items": [{"model": "x"}]}, 422, "items"),
        ({"person": "p001"}, 403, "report to you"), ({"person": "nobody"}, 403, "report to you"), ({"person": 9}, 422, "person"),
        ({"directive": "NONE"}, 404, "NONE"), ({"licence": "NONE"}, 422, "licence"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_filing_is_named(changes: dict[str, Any], status: int, words: str, in_force: Any) -> None:
    answer = Program("hana").post("exceptions", FILING | changes)
    assert answer.status_code == status, answer.json()
    assert words in str(answer.json())


def test_withdrawing(filed: dict[str, Any]) -> None:
    where = f"exceptions/{filed['id']}/withdraw"
    assert Program("idris").post(where).status_code == 403
    assert Program("teo").post(where).status_code == 404
    assert Program("hana").post(where).json()["state"] == "withdrawn"
    assert Program("hana").post(where).status_code == 409


def test_lists_come_in_pages_and_ask_a_constant_number_of_questions(filed: dict[str, Any]) -> None:
    program = Program("maren")
    program.get("exceptions")  # that the token is used is noted
    counts = []
    for capability in ("code-review", "agentic-coding"):
        with CaptureQueriesContext(connection) as captured:
            assert program.get("exceptions").status_code == 200
        counts.append(len(captured))
        Program("hana").post("exceptions", FILING | {"items": [{"model": "fable-5", "capability": capability}]})
    assert counts[0] == counts[1]
    first = program.get("exceptions?limit=1").json()
    assert len(first["exceptions"]) == 1
    assert program.get(f"exceptions?after={first['next']}").json()["exceptions"][0]["id"] < first["next"]
    assert program.get("exceptions?limit=0").status_code == 400
    assert program.get("approvals?after=x").status_code == 400


def test_a_session_serves_with_its_csrf_token(filed: dict[str, Any]) -> None:
    client = client_of(User.objects.get(username="idris"), enforce_csrf_checks=True)
    page = client.get(f"/approvals/{filed['approval']}/")
    digest = client.get(f"/api/v1/approvals/{filed['approval']}").json()["content_digest"]
    sent = {"verdict": "approve", "content_digest": digest}
    where = f"/api/v1/approvals/{filed['approval']}/votes"
    assert client.post(where, sent, content_type="application/json").status_code == 403
    token = str(page.context["csrf_token"])
    done = client.post(where, sent, content_type="application/json", headers={"X-CSRFToken": token})
    assert done.status_code == 201


def test_strangers_and_odd_requests_get_problems(db: None) -> None:
    for answer, status in (
        (Client().get("/api/v1/approvals"), 401),
        (Client().get("/api/v1/approvals", headers={"Authorization": "Basic x"}), 401),
        (Program("idris").get("nothing"), 404),
        (Program("idris").get("approvals/0"), 404),
        (Client().delete("/api/v1/approvals", headers=Program("idris").headers), 405),
        (Client().post("/api/v1/exceptions", "{", content_type="application/json", headers=Program("hana").headers), 400),
        (Client().post("/api/v1/exceptions", "[]", content_type="application/json", headers=Program("hana").headers), 400),
        (Client().post("/api/v1/exceptions", "a=b", content_type="text/plain", headers=Program("hana").headers), 400),
        (Client().post("/api/v1/exceptions", '"' + "a" * 100_001, content_type="application/json", headers=Program("hana").headers), 413),
    ):  # fmt: skip
        assert answer.status_code == status
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert answer["Cache-Control"] == "no-store"
    assert Client().get("/api/v1/approvals")["WWW-Authenticate"].startswith("Bearer")


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_a_token_is_made_by_command_and_kept_as_a_digest(db: None) -> None:
    out = io.StringIO()
    call_command("create_personal_token", "laptop", "--as", "idris", stdout=out)
    plain = out.getvalue().strip()
    assert plain.startswith("pcp_")
    token = PersonalToken.objects.get(name="laptop")
    assert plain not in str(token.__dict__)
    assert Client().get("/api/v1/approvals", headers={"Authorization": f"Bearer {plain}"}).status_code == 200
    assert plain not in Entry.objects.get(action="personal_token.created").record
    # It asks for nothing at the decision API, nor does a machine's token act here.
    call_command("create_token", "gateway", "--scope", "decide", stdout=out)
    machine = out.getvalue().split()[-1]
    assert Client().get("/api/v1/approvals", headers={"Authorization": f"Bearer {machine}"}).status_code == 401


def test_a_token_is_revoked_by_its_account_or_an_administrator(act_as: Any) -> None:
    plain = tokens.create_personal_token(actor=act_as("idris"), name="laptop", reach="act", days=1)
    token = PersonalToken.objects.get(name="laptop")
    with pytest.raises(NotFound):
        tokens.revoke_personal_token(actor=act_as("peter"), token_id=token.pk)
    tokens.revoke_personal_token(actor=act_as("admin"), token_id=token.pk)
    assert Client().get("/api/v1/approvals", headers={"Authorization": f"Bearer {plain}"}).status_code == 401
    assert tokens.create_personal_token(actor=act_as("idris"), name="laptop", reach="read", days=90) != plain


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"name": ""}, "name"), ({"name": "a\x00"}, "name"), ({"name": "x" * 101}, "name"), ({"reach": "all"}, "reach"),
     ({"days": 0}, "days"), ({"days": 91}, "days")],
)  # fmt: skip
def test_what_is_wrong_with_a_token_is_named(changes: dict[str, Any], field: str, act_as: Any) -> None:
    with pytest.raises(Invalid) as refused:
        tokens.create_personal_token(
            **{"actor": act_as("idris"), "name": "laptop", "reach": "act", "days": 9} | changes
        )
    assert [name for name, _ in refused.value.errors] == [field]


def test_the_tokens_of_a_deactivated_account_end_with_it(db: None) -> None:
    program = Program("idris")
    User.objects.filter(username="idris").update(is_active=False)
    assert program.get("approvals").status_code == 401
