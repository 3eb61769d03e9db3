"""The pages of waivers: what each account sees of them, the acts on them, and what is refused there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.enforcement.decision import decide
from governance.waivers.models import BreakGlass, ExceptionRequest, Waiver
from tests.conftest import REFERENCE
from tests.waivers.test_break_glass import ask, confirm
from tests.waivers.test_exceptions import approve, file
from tests.waivers.test_life import accepting
from tests.waivers.test_version_in_force import activate

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Client]


@pytest.mark.parametrize(
    ("name", "sees"), [("lucia", True), ("auditor", True), ("hana", True), ("wei", True), ("jonas", False), ("teo", False)]
)  # fmt: skip
def test_a_waiver_is_seen_by_those_it_concerns_and_is_nothing_to_others(
    name: str, sees: bool, sign_in: SignIn, waived: None
) -> None:
    waiver, client = Waiver.objects.get(), sign_in(name)
    row = f'href="/waivers/{waiver.pk}/"'
    assert (row in client.get("/waivers/").content.decode()) is sees
    assert client.get(f"/waivers/{waiver.pk}/").status_code == (200 if sees else 404)
    assert client.get("/waivers/999999/").status_code == 404
    if not sees:
        assert client.post(f"/waivers/{waiver.pk}/revoke", {"reason": "x"}).status_code == 404
        assert client.post(f"/waivers/{waiver.pk}/renew").status_code == 404


def test_the_list_has_a_view_for_each_state(sign_in: SignIn, act_as: Any, in_force: Any) -> None:
    waiting = accepting(act_as)
    approve(act_as, file(act_as("hana"), "p010", days=1), "idris", "peter")
    client = sign_in("lucia")

    def rows(state: str, **more: str) -> int:
        page = client.get("/waivers/", {"state": state} | more).content.decode()
        return page.count('<th scope="row">')

    assert [rows(state) for state in ("", "running", "soon", "ended", "accepting")] == [1, 1, 1, 0, 1]
    assert f"Exception {waiting.pk}" in client.get("/waivers/?state=accepting").content.decode()
    assert (rows("", directive=REFERENCE), rows("", directive="x"), rows("running", q="p010")) == (1, 0, 1)
    client.post(f"/waivers/{Waiver.objects.get().pk}/revoke", {"reason": "Not supervised."})
    assert [rows(state) for state in ("running", "ended", "nonsense")] == [0, 1, 1]


def test_a_list_of_many_costs_no_more_questions(sign_in: SignIn, act_as: Any, in_force: Any) -> None:
    client = sign_in("lucia")

    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/waivers/").status_code == 200
        return len(captured)

    approve(act_as, file(act_as("hana")), "idris", "peter")
    asked()
    one = asked()
    for person in ("p010", "p012"):
        approve(act_as, file(act_as("hana"), person), "idris", "peter")
    assert asked() == one <= 26


def test_the_person_reads_the_conditions_and_accepts_them(sign_in: SignIn, act_as: Any, in_force: Any) -> None:
    request, client = accepting(act_as, conditions="Only on Tuesdays."), sign_in("wei")
    page = client.get("/my-access").content.decode()
    assert "A colleague sits beside you in each session." in page
    assert "Only on Tuesdays." in page
    address = f"/exceptions/{request.pk}/accept"
    assert sign_in("hana").post(address, {"digest": request.conditions_digest}).status_code == 404
    assert client.post(address, {"digest": ""}).status_code == 409
    assert client.get(address).status_code == 405
    assert client.post(address, {"digest": request.conditions_digest}).status_code == 302
    assert decide("p009", "fable-5", "use").code == "waiver"
    assert "I accept these conditions" not in client.get("/my-access").content.decode()


def test_an_approver_adds_a_condition_on_the_page(sign_in: SignIn, act_as: Any, in_force: Any) -> None:
    from governance.approvals.models import Request

    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    asked = Request.objects.get(subject=request.subject)
    body = {"verdict": "approve", "condition": "Two people in the room.", "seen": asked.content_digest}
    assert sign_in("peter").post(f"/approvals/{asked.pk}/vote", body).status_code == 302
    assert ExceptionRequest.objects.get().state == "accepting"
    assert "Two people in the room." in sign_in("hana").get(f"/exceptions/{request.pk}/").content.decode()


def test_who_revoked_it_and_why_is_shown_to_the_person_and_the_manager(
    sign_in: SignIn, act_as: Any, waived: None
) -> None:
    waiver, client = Waiver.objects.get(), sign_in("anjali")
    empty = client.post(f"/waivers/{waiver.pk}/revoke", {"reason": " "})
    assert (empty.status_code, b"is required" in empty.content) == (422, True)
    assert client.post(f"/waivers/{waiver.pk}/revoke", {"reason": "The log is missing"}).status_code == 302
    for name, address in (
        ("wei", "/my-access"),
        ("hana", f"/waivers/{waiver.pk}/"),
        ("hana", f"/exceptions/{waiver.request_id}/"),
    ):
        assert "The log is missing." in sign_in(name).get(address).content.decode(), (name, address)
    assert f"Waiver {waiver.pk} ended early" in sign_in("hana").get("/affected").content.decode()


def test_one_click_renews_a_waiver_that_ends_soon(sign_in: SignIn, act_as: Any, in_force: Any) -> None:
    approve(act_as, file(act_as("hana"), days=2), "idris", "peter")
    waiver, client = Waiver.objects.get(), sign_in("hana")
    assert f'action="/waivers/{waiver.pk}/renew"' in client.get("/affected").content.decode()
    answer = client.post(f"/waivers/{waiver.pk}/renew")
    renewed = ExceptionRequest.objects.latest("pk")
    assert (answer.status_code, answer["Location"]) == (302, f"/exceptions/{renewed.pk}/")
    assert renewed.renews == waiver
    assert client.post(f"/waivers/{waiver.pk}/renew").status_code == 409, "it is asked for already"
    assert f'action="/waivers/{waiver.pk}/renew"' not in client.get("/affected").content.decode()


# -- break-glass -------------------------------------------------------------------------------------------------------


@pytest.fixture
def company(in_force: Any, act_as: Any) -> None:
    activate(act_as, waivable="company")


def test_two_accounts_open_one_on_the_pages_and_a_third_reviews_it(sign_in: SignIn, company: None) -> None:
    first, second, third = sign_in("idris"), sign_in("maren"), sign_in("peter")
    form = {"person": "p009", "directive": REFERENCE, "item": ["fable-5/use"], "hours": "1", "reason": "An incident."}
    assert 'value="fable-5/use"' in first.get("/break-glass/new", form).content.decode()
    for missing in ("item", "hours", "reason"):
        answer = first.post("/break-glass/new", {key: value for key, value in form.items() if key != missing})
        assert (answer.status_code, b'aria-invalid="true"' in answer.content or b"field invalid" in answer.content) == (
            422,
            True,
        )
    assert first.post("/break-glass/new", form).status_code == 302
    asked = BreakGlass.objects.get()
    address = f"/break-glass/{asked.pk}/"
    assert b"It waits for a second person" in first.get(address).content
    assert first.post(f"{address}confirm", {"digest": asked.digest}).status_code == 403
    assert second.post(f"{address}confirm", {"digest": "x"}).status_code == 409
    assert second.post(f"{address}confirm", {"digest": asked.digest}).status_code == 302
    assert decide("p009", "fable-5", "use").code == "waiver"
    again = first.post("/break-glass/new", form | {"item": ["fable-5/code-review"], "reason": "Another incident."})
    assert (again.status_code, b"waits for its review" in again.content) == (409, True)
    assert b"Another incident." in again.content, "what was typed stays"
    for page in ("/", "/approvals/"):
        assert "was opened without approval" in third.get(page).content.decode(), page
        assert "was opened without approval" not in second.get(page).content.decode(), page
    assert third.post(f"{address}review", {"verdict": "needed", "review": ""}).status_code == 422
    assert second.post(f"{address}review", {"verdict": "needed", "review": "x"}).status_code == 403
    assert third.post(f"{address}review", {"verdict": "not_needed", "review": "It could wait."}).status_code == 302
    assert decide("p009", "fable-5", "use").code == "directive"
    assert "It could wait." in sign_in("auditor").get(address).content.decode()


def test_an_overdue_review_is_shown(sign_in: SignIn, act_as: Any, company: None) -> None:
    asked = ask(act_as("idris"))
    confirm(act_as("maren"), asked)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE waivers_breakglass SET review_due = %s, confirmed_at = %s",
            [timezone.now() - timedelta(hours=1), timezone.now() - timedelta(days=2)],
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert "A review is overdue" in sign_in("peter").get("/").content.decode()
    assert f"Break-glass {asked.pk}" in sign_in("lucia").get("/break-glass/?state=overdue").content.decode()


def test_an_explanation_and_a_search_know_a_waiver_without_an_exception(
    sign_in: SignIn, act_as: Any, company: None
) -> None:
    waiver = confirm(act_as("maren"), ask(act_as("idris")))
    page = sign_in("lucia").get("/explain?person=p009&item=fable-5/use").content.decode()
    assert f"Waiver {waiver.pk}, opened at once by two people" in page
    assert sign_in("hana").get("/affected").status_code == 200
    assert sign_in("hana").get(f"/waivers/{waiver.pk}/").status_code == 200


@pytest.mark.parametrize("name", ["hana", "wei", "teo", "admin"])
def test_break_glass_is_nothing_to_others(name: str, sign_in: SignIn, act_as: Any, company: None) -> None:
    asked, client = ask(act_as("idris")), sign_in(name)
    for address in ("/break-glass/", "/break-glass/new", f"/break-glass/{asked.pk}/"):
        assert client.get(address).status_code == 403
    for act in ("confirm", "review"):
        assert client.post(f"/break-glass/{asked.pk}/{act}", {"digest": asked.digest}).status_code == 403
    assert sign_in("lucia").get("/break-glass/999999/").status_code == 404


# -- a version that shortens -------------------------------------------------------------------------------------------


def test_the_form_of_a_version_says_shorten_and_keeps_what_was_typed(
    sign_in: SignIn, act_as: Any, waived: None
) -> None:
    from governance.directives import services as directives
    from tests.web.test_authoring import FORM

    directives.draft_new_version(actor=act_as("anjali"), reference=REFERENCE)
    client, address = sign_in("anjali"), f"/directives/{REFERENCE}/edit"
    wrong = client.post(address, FORM | {"waivers": "shorten", "waivers_days": "many", "waivers_until": ""})
    assert (wrong.status_code, b'value="many"' in wrong.content) == (422, True)
    neither = client.post(address, FORM | {"waivers": "shorten", "waivers_days": "", "waivers_until": ""})
    assert neither.status_code == 422
    assert client.post(address, FORM | {"waivers": "shorten", "waivers_days": "3"}).status_code == 302
    draft = directives.draft_of(Waiver.objects.get().directive)
    assert (draft.waivers, draft.waivers_days) == ("shorten", 3)
    assert client.post(address, FORM | {"waivers": "keep", "waivers_days": "3"}).status_code == 302
    draft.refresh_from_db()
    assert (draft.waivers, draft.waivers_days) == ("keep", None)
