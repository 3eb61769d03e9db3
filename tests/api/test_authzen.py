"""AuthZEN evaluation: the wire, the codes, and every kind of bad request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from governance.accounts.models import ApiToken
from governance.accounts.services import create_token
from governance.enforcement import decision as decisions
from governance.enforcement.sources import CannotDecide
from tests.wire import HOST, Wire, question, services

pytestmark = pytest.mark.django_db
URL = "/access/v1/evaluation"


@pytest.fixture
def ask(machine: Any) -> Any:
    tokens = {
        "plain": create_token(actor=machine, name="gateway", scopes=["decide"]),
        "explain": create_token(actor=machine, name="support", scopes=["decide", "explain"]),
        "search": create_token(actor=machine, name="other", scopes=["search"]),
    }

    def asking(body: Any, token: str = "plain", **headers: str) -> Any:
        return Wire(services(), tokens.get(token, token)).send(URL, body, **headers)

    return asking


def test_a_permit_and_a_denial_have_the_fixed_shape(ask: Any, in_force: Any) -> None:
    permit = ask(question("p001"))
    assert permit.status_code == 200
    assert permit["Cache-Control"] == "no-store"
    body = permit.json()
    assert body["decision"] is True
    assert set(body["context"]) == {"id", "reason", "policy_epoch", "evaluated_at"}
    assert body["context"]["reason"] == {"code": "audience", "directives": []}
    reason = ask(question()).json()["context"]["reason"]
    assert (reason["code"], reason["directives"]) == ("directive", ["US-2026-06-12"])
    assert reason["help_url"].startswith("http")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (question("nobody"), "unknown_subject"),
        (question("p\x00"), "unknown_subject"),
        (question(model="none"), "unknown_resource"),
        (question(model="gpt-5-5"), "unknown_resource"),
        (question(capability="none"), "unknown_action"),
        (question(capability="biological-design"), "capability_disabled"),
        (question("p013", "mythos-5"), "outside_audience"),
        (question("p014"), "directive_unknown"),
        ({**question(), "subject": {"type": "robot", "id": "p001"}}, "unknown_subject"),
    ],
)
def test_denials_say_why_in_a_code(body: Any, code: str, ask: Any, in_force: Any) -> None:
    answer = ask(body).json()
    assert (answer["decision"], answer["context"]["reason"]["code"]) == (False, code)


def test_what_the_caller_says_of_a_person_never_counts(ask: Any, in_force: Any) -> None:
    body = question()
    body["subject"]["properties"] = {"citizenships": ["US"]}
    assert ask(body).json()["decision"] is False


def test_explanations_need_their_scope_and_hold_no_value(ask: Any, in_force: Any) -> None:
    assert "trace" not in ask(question()).json()["context"]["reason"]
    reason = ask(question(), "explain").json()["context"]["reason"]
    assert reason["summary"]
    assert reason["next_steps"]
    assert reason["trace"]["directives"][0]["truth"] == "true"
    assert "CN" not in json.dumps(reason)


@pytest.mark.parametrize(
    "body",
    [
        "", "{", "[]", "null", '{"subject": 1}', json.dumps({"subject": {"type": "person", "id": 7}}), '{"a": NaN}',
        '{"a": 1, "a": 2}', "[" * 50_000, '{"a": ' + "9" * 5000 + "}", b"\xff\xfe", json.dumps(question(context=[])),
        json.dumps(question(context={"min_epoch": "x"})), json.dumps(question(context={"min_epoch": True})),
        json.dumps(question("")), json.dumps({k: v for k, v in question().items() if k != "action"}),
        json.dumps(question(context={"at": "2026-06-12T21:30:00Z"})),
    ],
)  # fmt: skip
def test_malformed_requests_are_400_with_a_problem_document(body: Any, ask: Any) -> None:
    response = ask(body)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == 400


def test_a_wrong_content_type_is_400_and_a_large_body_413(ask: Any) -> None:
    assert ask(question(), content_type="text/plain").status_code == 400
    assert ask(json.dumps(question(pad="x" * 70_000))).status_code == 413
    assert Wire(services()).send(URL, b"", method="GET").status_code == 405
    assert Wire(services()).send("/access/v1/other", b"").status_code == 404


def test_tokens_are_needed_scoped_and_revocable(ask: Any) -> None:
    missing = Wire(services()).send(URL, question())
    assert missing.status_code == 401
    assert missing["WWW-Authenticate"].startswith("Bearer")
    assert ask(question(), "nonsense").status_code == 401
    assert ask(question(), "search").status_code == 403
    ApiToken.objects.filter(name="gateway").update(revoked_at="2026-01-01T00:00:00Z")
    assert ask(question()).status_code == 401


def test_a_request_id_is_echoed_and_unknown_members_are_ignored(ask: Any) -> None:
    response = ask(question(extra={"a": 1}), x_request_id="abc-123")
    assert response.status_code == 200
    assert response["X-Request-ID"] == "abc-123"
    assert ask("{", x_request_id="abc-124")["X-Request-ID"] == "abc-124"


def test_a_node_that_is_behind_or_cannot_decide_answers_503(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    epoch = ask(question()).json()["context"]["policy_epoch"]
    assert ask(question(context={"min_epoch": epoch})).status_code == 200
    assert ask(question(context={"min_epoch": epoch + 1})).status_code == 503

    def broken(*args: Any) -> Any:
        raise CannotDecide("no")

    monkeypatch.setattr(decisions, "read_people", broken)
    response = ask(question())
    assert response.status_code == 503
    assert "cannot_decide" in response.json()["detail"]
    assert response["Retry-After"]


def test_the_metadata_names_the_endpoint() -> None:
    found = Wire(services()).send("/.well-known/authzen-configuration", b"", method="GET").json()
    assert found["policy_decision_point"] == f"https://{HOST}"
    assert found["access_evaluation_endpoint"] == found["policy_decision_point"] + URL
    assert Wire(services()).send("/.well-known/authzen-configuration", b"", method="GET", host="a/b").status_code == 400
    fixed = Wire(services(public_url="https://pdp.corp")).send("/.well-known/authzen-configuration", b"", method="GET")
    assert fixed.json()["search_subject_endpoint"] == "https://pdp.corp/access/v1/search/subject"


@pytest.mark.parametrize(
    ("host", "allowed", "public_url", "address"),
    [
        ("pdp.example:8443", ("pdp.example",), "", "https://pdp.example:8443"),
        ("pdp.example", ("*",), "", "https://pdp.example"),
        ("evil.example", ("pdp.example",), "", None),
        ("pdp.example@evil.example", ("*",), "", None),
        ("evil.example/?", ("*",), "", None),
        ("a" * 300, ("*",), "", None),
        ("evil.example", ("pdp.example",), "https://pdp.corp", "https://pdp.corp"),
    ],
)
def test_an_answer_never_repeats_a_host_that_is_not_ours(
    host: str, allowed: tuple[str, ...], public_url: str, address: str | None, machine: Any, in_force: Any
) -> None:
    """The Host header is the caller's word; a person follows the link."""
    wire = Wire(
        services(public_url=public_url, allowed=allowed), create_token(actor=machine, name="g", scopes=["decide"])
    )
    answer = wire.send(URL, question(), host=host)
    assert answer.status_code == 200, "a decision does not fail for it"
    assert answer.json()["context"]["reason"]["help_url"] == f"{address or ''}/my-access"
    found = wire.send("/.well-known/authzen-configuration", b"", method="GET", host=host)
    assert found.status_code == (200 if address else 400)
    if address:
        assert found.json()["policy_decision_point"] == address
