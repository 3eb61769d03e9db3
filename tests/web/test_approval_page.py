"""A request's page: its stages and who could decide them, why one cannot, the talk about it, and what is done with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.accounts.models import User
from governance.approvals import services as approvals
from governance.approvals.models import Request
from governance.enforcement.services import deciding
from governance.moments import now
from governance.people.models import Person
from governance.people.queries import person_of
from governance.waivers.models import ExceptionRequest
from tests.approvals.policies import put_in_force as policy
from tests.clock import moved_clock
from tests.directives.steps import ask, submit
from tests.waivers.test_exceptions import file

pytestmark = pytest.mark.django_db
LEAD, COUNSEL, EXECUTIVE = "trust-and-safety lead", "export-control counsel", "executive"
SignIn = Callable[[str], Client]


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def reason(response: Any) -> str:
    """The code of what keeps the account from deciding."""
    found = re.search(r'data-reason="([^"]*)"', response.content.decode())
    return found[1] if found else ""


@pytest.fixture
def asked(act_as: Any, in_force: Any) -> Request:
    return Request.objects.get(subject=file(act_as("hana")).subject)


def delegate(act_as: Any, principal: str, to: str) -> None:
    moment = now()
    approvals.delegate(
        actor=act_as(principal), to=User.objects.get(username=to), starts_at=moment,
        ends_at=moment + timedelta(days=2), reason="away",
    )  # fmt: skip


def page(client: Client, asked: Request) -> Any:
    return client.get(f"/approvals/{asked.pk}/")


def act(client: Client, asked: Request, **fields: Any) -> Any:
    return client.post(f"/approvals/{asked.pk}/act", fields)


def test_the_page_names_who_could_decide_and_when_it_is_due(asked: Request, sign_in: SignIn) -> None:
    text = words(page(sign_in("peter"), asked))
    assert "Could decide: Idris Vale" in text
    assert "Could decide: Peter Osei" in text
    assert "3 h 59 min left" in text


@pytest.mark.parametrize(
    ("account", "code"), [("hana", "requester"), ("peter", "not_their_turn"), ("lucia", "not_eligible"), ("idris", "")]
)
def test_the_page_says_which_reason_keeps_one_from_deciding(
    account: str, code: str, asked: Request, sign_in: SignIn
) -> None:
    response = page(sign_in(account), asked)
    assert reason(response) == code
    assert (">Approve<" in response.content.decode()) == (code == "")


def test_the_page_says_that_one_has_decided_or_that_it_is_closed(asked: Request, sign_in: SignIn) -> None:
    idris = sign_in("idris")
    idris.post(f"/approvals/{asked.pk}/vote", {"verdict": "approve", "seen": asked.content_digest})
    assert reason(page(idris, asked)) == "decided"
    sign_in("peter").post(f"/approvals/{asked.pk}/vote", {"verdict": "reject", "seen": asked.content_digest})
    late = idris.post(f"/approvals/{asked.pk}/vote", {"verdict": "approve", "seen": asked.content_digest})
    assert late.status_code == 409
    assert "This request is closed: rejected" in words(late)


def test_who_is_covered_is_told_so_before_deciding(act_as: Any, in_force: Any, sign_in: SignIn) -> None:
    """Also when that came after it was asked for."""
    asked = ask(act_as, "suspension")
    assert reason(page(sign_in("maren"), asked)) == ""
    maren = person_of(User.objects.get(username="maren"))
    Person.objects.filter(pk=maren.pk).update(citizenships=["FR"], permanent_residences=[])
    assert reason(page(sign_in("maren"), asked)) == "conflict"


def test_whom_an_exception_is_for_does_not_read_its_reason_on_this_page_either(asked: Request, sign_in: SignIn) -> None:
    User.objects.get(username="wei").groups.add(Group.objects.get(name="operator"))
    typed = f'<p class="lead">{ExceptionRequest.objects.get().reason}</p>'
    assert typed in page(sign_in("idris"), asked).content.decode()
    answer = page(sign_in("wei"), asked)
    assert (answer.status_code, typed in answer.content.decode()) == (200, False)


def test_a_decision_for_somebody_else_is_announced_and_recorded_as_such(
    asked: Request, act_as: Any, sign_in: SignIn
) -> None:
    delegate(act_as, "idris", "tomas")
    tomas = sign_in("tomas")
    text = words(page(tomas, asked))
    assert "You decide for Idris Vale , at the stage “Trust-and-safety lead”" in text
    assert f"Could decide: Idris Vale, {User.objects.get(username='tomas')} for Idris Vale" in text
    tomas.post(f"/approvals/{asked.pk}/vote", {"verdict": "approve", "seen": asked.content_digest})
    name = str(User.objects.get(username="tomas"))
    assert f"{name} for Idris Vale: approve" in words(page(tomas, asked))


def test_a_delegate_without_any_role_sees_what_they_decide_and_nobody_else_does(
    asked: Request, act_as: Any, sign_in: SignIn
) -> None:
    assert page(sign_in("wei"), asked).status_code == 404
    assert page(sign_in("teo"), asked).status_code == 404
    delegate(act_as, "idris", "teo")
    teo = sign_in("teo")
    assert "You decide for" in words(page(teo, asked))
    assert teo.get("/approvals/").status_code == 200
    assert page(sign_in("wei"), asked).status_code == 404


def test_a_question_stops_the_clock_and_the_page_says_for_how_long(
    asked: Request, act_as: Any, sign_in: SignIn
) -> None:
    idris, hana = sign_in("idris"), sign_in("hana")
    act(idris, asked, act="ask_back", text="Which dataset?")
    text = words(page(hana, asked))
    assert "Idris Vale asks you something" in text
    assert "the clock has stood still since then" in text
    assert act(sign_in("peter"), asked, act="answer", text="x").status_code == 403
    with moved_clock() as clock:
        clock.pass_time(hours=2, minutes=5)
        act(hana, asked, act="answer", text="The public one.")
        text = words(page(idris, asked))
    assert "The public one." in text
    assert "the clock stood still for 2 h 5 min" in text


def test_an_empty_or_refused_text_keeps_what_was_typed_and_names_the_rule(asked: Request, sign_in: SignIn) -> None:
    idris = sign_in("idris")
    empty = act(idris, asked, act="comment", text=" ")
    assert empty.status_code == 422
    assert "Text is required" in words(empty)
    refused = act(sign_in("lucia"), asked, act="comment", text="my two cents")
    assert refused.status_code == 403
    assert "Those who ask and those who decide comment on a request." in words(refused)


def test_a_lead_names_somebody_for_a_stage(asked: Request, sign_in: SignIn) -> None:
    maren = sign_in("maren")
    stage = asked.stages.get(position=1)
    wrong = act(maren, asked, act="hand_over", stage=stage.pk, to="nobody", reason="ill")
    assert wrong.status_code == 422
    assert 'value="nobody"' in wrong.content.decode()
    assert 'value="ill"' in wrong.content.decode()
    act(maren, asked, act="hand_over", stage=stage.pk, to="lucia", reason="Idris is ill")
    text = words(page(sign_in("lucia"), asked))
    assert "named by Maren" in text
    assert "Idris is ill" in text
    assert reason(page(sign_in("lucia"), asked)) == ""
    assert act(sign_in("lucia"), asked, act="hand_over", stage=stage.pk, to="tomas", reason="x").status_code == 403


def test_who_names_nobody_is_not_told_which_accounts_there_are(asked: Request, sign_in: SignIn) -> None:
    for name in ("peter", "nobody-of-that-name"):
        answer = act(sign_in("hana"), asked, act="hand_over", to=name, stage="1", reason="x")
        assert answer.status_code == 403


def test_the_requester_takes_a_request_back(asked: Request, sign_in: SignIn) -> None:
    assert act(sign_in("idris"), asked, act="withdraw").status_code == 403
    act(sign_in("hana"), asked, act="withdraw")
    asked.refresh_from_db()
    assert asked.state == "withdrawn"
    assert Request.objects.count() == 2, "the activation, and this one"


def test_a_submitted_version_taken_back_is_a_draft_again(act_as: Any, sign_in: SignIn) -> None:
    asked = submit(act_as)
    act(sign_in("lucia"), asked, act="withdraw")
    asked.refresh_from_db()
    assert asked.state == "withdrawn"


def test_decisions_that_an_edit_made_void_are_said_to_be(asked: Request, act_as: Any, sign_in: SignIn) -> None:
    approvals.vote(actor=act_as("idris"), request=asked, verdict="approve", content_digest=asked.content_digest)
    approvals.revise(actor=act_as("hana"), request=asked, content_digest="e" * 64, summary="edited")
    text = words(page(sign_in("peter"), asked))
    assert "They are void" in text
    assert "Idris Vale, “Trust-and-safety lead”: approve" in text
    assert "(revision 1)" in text


def test_a_decision_that_counts_no_more_is_said_to(asked: Request, act_as: Any, sign_in: SignIn) -> None:
    approvals.vote(actor=act_as("idris"), request=asked, verdict="approve", content_digest=asked.content_digest)
    assert "It counts no more" not in words(page(sign_in("peter"), asked))
    User.objects.get(username="idris").groups.clear()
    assert "It counts no more" in words(page(sign_in("peter"), asked))


def test_parallel_stages_escalations_and_refusals_by_time_are_told(act_as: Any, in_force: Any, sign_in: SignIn) -> None:
    policy(
        "exception",
        {"position": 1, "name": "Lead", "groups": [LEAD], "due_hours": 4, "at_end": "escalate", "escalate_to": [EXECUTIVE]},
        {"position": 1, "name": "Counsel", "groups": [COUNSEL], "due_hours": 8, "at_end": "refuse"},
    )  # fmt: skip
    asked = Request.objects.get(subject=file(act_as("hana")).subject)
    peter = sign_in("peter")
    text = words(page(peter, asked))
    assert "Side by side with Counsel" in text
    assert "After that executive may decide it, too." in text
    assert "After that the request is refused." in text
    with moved_clock() as clock:
        clock.pass_time(hours=5)
        deciding.let_time_pass(actor=act_as("idris"))
        assert "Escalated" in words(page(peter, asked))
        clock.pass_time(hours=5)
        deciding.let_time_pass(actor=act_as("idris"))
        assert "Nobody decided it in time." in words(page(peter, asked))


def test_the_page_asks_as_many_questions_for_many_approvers_and_comments_as_for_few(
    asked: Request, act_as: Any, sign_in: SignIn
) -> None:
    idris = sign_in("idris")
    page(idris, asked)
    with CaptureQueriesContext(connection) as few:
        page(idris, asked)
    leads = User.objects.get(username="idris").groups.all()
    for number in range(30):
        User.objects.create_user(f"lead{number}", f"lead{number}@example.com").groups.set(leads)
        approvals.comment(actor=act_as("idris"), request=asked, words="more")
    with CaptureQueriesContext(connection) as many:
        assert "and 23 more" in words(page(idris, asked))
    assert len(many) == len(few) <= 40
