"""The inbox: what waits by kind, filters, and several like requests decided together with a result for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.approvals import services as approvals
from governance.approvals.models import Request
from governance.enforcement.services import deciding
from governance.errors import Invalid, NotFound
from tests.clock import moved_clock
from tests.directives.steps import ask
from tests.waivers.test_exceptions import file
from tests.web.test_approval_page import delegate, words

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Client]


@pytest.fixture
def three(act_as: Any, in_force: Any) -> list[Request]:
    filed = [file(act_as("hana"), person=person) for person in ("p009", "p010", "p012")]
    return [Request.objects.get(subject=exception.subject) for exception in filed]


def test_the_inbox_counts_by_kind_and_overdue_and_filters(three: list[Request], act_as: Any, sign_in: SignIn) -> None:
    ask(act_as, "suspension")
    idris = sign_in("idris")
    text = words(idris.get("/approvals/"))
    assert f"All {len(three) + 1}" in text
    assert f"Exception {len(three)}" in text
    assert "Suspension 1" in text
    assert "Overdue" not in text
    for query, shown in (
        ("kind=exception", len(three)), ("kind=directive.suspension", 1), ("stage=Second+person", 1), ("requester=hana", len(three)),
        ("requester=nobody", 0), ("overdue=yes", 0),
    ):  # fmt: skip
        assert len(idris.get(f"/approvals/?{query}").context["page"].rows) == shown, query
    with moved_clock() as clock:
        clock.pass_time(hours=5)
        assert f"Overdue {len(three)}" in words(idris.get("/approvals/"))
        assert len(idris.get("/approvals/?overdue=yes").context["page"].rows) == len(three)


def chosen(*requests: Request) -> list[str]:
    return [f"{request.pk}:{request.content_digest}" for request in requests]


def test_like_requests_are_shown_and_decided_together_each_with_its_result(
    three: list[Request], act_as: Any, sign_in: SignIn
) -> None:
    idris = sign_in("idris")
    shown = idris.get("/approvals/decide", {"chosen": [asked.pk for asked in three]})
    assert [row.pk for row in shown.context["rows"]] == [asked.pk for asked in three]
    decided = idris.post(
        "/approvals/decide", {"chosen": chosen(*three), "verdict": "approve", "comment": "As agreed on Monday."}
    )
    assert "3 of 3 decided" in words(decided)
    for asked in three:
        vote = asked.votes.get()
        assert (str(vote.approver), vote.verdict, vote.comment) == ("Idris Vale", "approve", "As agreed on Monday.")


def test_some_may_fail_and_each_says_why(three: list[Request], act_as: Any, sign_in: SignIn) -> None:
    first, second, third = three
    approvals.revise(actor=act_as("hana"), request=first, content_digest="e" * 64, summary="edited")
    deciding.withdraw(actor=act_as("hana"), request_id=second.pk)
    decided = sign_in("idris").post("/approvals/decide", {"chosen": chosen(*three), "verdict": "reject"})
    text = words(decided)
    assert "1 of 3 decided" in text
    assert "What was asked for has changed. Read it again before you decide." in text
    assert "This request is closed: withdrawn." in text
    assert [asked.votes.count() for asked in three] == [0, 0, 1]
    third.refresh_from_db()
    assert third.state == "rejected"


def test_unlike_too_many_none_and_foreign_requests_are_refused_whole(
    three: list[Request], act_as: Any, sign_in: SignIn
) -> None:
    suspension = ask(act_as, "suspension")
    idris = act_as("idris")
    for pairs, words_ in (
        ([(suspension.pk, suspension.content_digest), (three[0].pk, three[0].content_digest)], "one kind"),
        ([], "from 1 to 50"),
        ([(number, "") for number in range(51)], "from 1 to 50"),
    ):
        with pytest.raises(Invalid, match=words_):
            deciding.decide_many(actor=idris, chosen=pairs, verdict="approve")
    with pytest.raises(NotFound):
        deciding.decide_many(actor=idris, chosen=[(three[0].pk, "x"), (0, "")], verdict="approve")
    client = sign_in("idris")
    typed = client.post(
        "/approvals/decide", {"chosen": chosen(suspension, three[0]), "verdict": "approve", "comment": "ok"}
    )
    assert typed.status_code == 422
    assert client.post("/approvals/decide", {"chosen": ["999999:x"], "verdict": "approve"}).status_code == 404
    delegate(act_as, "idris", "teo")
    approvals.vote(actor=idris, request=three[0], verdict="approve", content_digest=three[0].content_digest)
    foreign = sign_in("teo").post("/approvals/decide", {"chosen": chosen(three[0]), "verdict": "approve"})
    assert foreign.status_code == 404, "teo sees only what he could decide"
    assert sign_in("lucia").post("/approvals/decide", {"chosen": chosen(three[0])}).status_code == 403
    assert suspension.votes.count() == 0


def test_a_delegate_reads_for_whom_they_decide(three: list[Request], act_as: Any, sign_in: SignIn) -> None:
    delegate(act_as, "idris", "teo")
    teo = sign_in("teo")
    assert words(teo.get("/approvals/")).count("You decide for Idris Vale") == len(three)
    assert "You decide for Idris Vale" in words(teo.get("/approvals/decide", {"chosen": three[0].pk}))
    teo.post("/approvals/decide", {"chosen": chosen(*three), "verdict": "approve"})
    assert {vote.by for asked in three for vote in asked.votes.all()} == {"Teo Martins for Idris Vale"}


def test_the_inbox_asks_as_many_questions_for_many_requests_as_for_few(
    three: list[Request], act_as: Any, sign_in: SignIn
) -> None:
    idris = sign_in("idris")
    idris.get("/approvals/")
    with CaptureQueriesContext(connection) as few:
        idris.get("/approvals/")
    for number in range(60):
        approvals.open_request(
            actor=act_as("hana"), kind="exception", subject=f"exception:{100000 + number}", content_digest="d" * 64, summary="x"
        )  # fmt: skip
    with CaptureQueriesContext(connection) as many:
        assert len(idris.get("/approvals/").context["page"].rows) == 50
    assert len(many) == len(few) <= 30
    with CaptureQueriesContext(connection) as together:
        idris.get("/approvals/decide", {"chosen": list(Request.objects.values_list("pk", flat=True))})
    assert len(together) <= 30
