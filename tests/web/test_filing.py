"""The pages of filing: one form for several, drafts as typed, what is ahead, edits, and asking on My access."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.directives import services as directives
from governance.directives.content import DirectiveStatement, VersionStatement
from governance.directives.models import Directive
from governance.enforcement.services import lifecycle
from governance.waivers.models import ExceptionDraft, ExceptionRequest
from tests.conftest import REFERENCE
from tests.waivers.test_attachments import PDF
from tests.waivers.test_exceptions import approve, file

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Client]
NEW, SAVE = "/exceptions/new", "/exceptions/drafts/save"


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def form(*people: str, **changes: Any) -> dict[str, Any]:
    field = "item" if len(people) == 1 else None
    items = {field or f"item-{one}": ["fable-5/use"] for one in people}
    return {
        "directive": REFERENCE, "person": list(people), "days": "7", "reason": "weekly evaluation", "mitigation": "redacted",
        "licence": "", "draft": str(uuid4()),
    } | items | changes  # fmt: skip


def picks(*people: str) -> dict[str, Any]:
    return {"pick": [f"{Directive.objects.get(reference=REFERENCE).pk}:{one}" for one in people]}


def checked(html: str, field: str) -> list[str]:
    return re.findall(rf'name="{field}" value="([^"]+)" checked', html)


def test_each_persons_losses_are_chosen(sign_in: SignIn, in_force: Any) -> None:
    html = sign_in("hana").get(NEW, picks("p009", "p010")).content.decode()
    assert "Ask for exceptions for 2 people" in html
    for person in ("p009", "p010"):
        assert "fable-5/use" in checked(html, f"item-{person}")
    assert "Peter Osei" in html


def test_what_is_asked_for_already_is_said_and_not_chosen(sign_in: SignIn, act_as: Any, in_force: Any) -> None:
    asked = file(act_as("hana"))
    html = sign_in("hana").get(NEW, picks("p009", "p010")).content.decode()
    assert "fable-5/use" not in checked(html, "item-p009")
    assert "fable-5/use" in checked(html, "item-p010")
    assert f"Exception {asked.pk} asks for it already" in html


def test_several_are_filed_in_one_go(sign_in: SignIn, in_force: Any) -> None:
    response = sign_in("hana").post(NEW, form("p009", "p010"), follow=True)
    assert response.redirect_chain == [("/exceptions/", 302)]
    assert "2 exceptions are filed" in response.content.decode()
    assert sorted(ExceptionRequest.objects.values_list("person", flat=True)) == ["p009", "p010"]


def test_a_refusal_stands_at_its_person_and_what_was_typed_stays(sign_in: SignIn, act_as: Any, in_force: Any) -> None:
    file(act_as("hana"))
    client, sent = sign_in("hana"), form("p009", "p010", days="11")
    response = client.post(NEW, sent)
    html = response.content.decode()
    assert response.status_code == 422
    assert 'href="#person-p009"' in html
    assert 'id="person-p009-error"' in html
    assert 'id="person-p010-error"' not in html
    assert 'name="days" inputmode="numeric" value="11"' in html
    assert ExceptionRequest.objects.count() == 1
    html = client.post(NEW, sent | {"do": "leave-out:p009"}).content.decode()
    assert "Ask for an exception for Priya Nair" in html
    assert checked(html, "item") == ["fable-5/use"]


@pytest.mark.parametrize("who", ["p016", "p007", "nobody", "p009&person=p016"])
def test_the_form_is_for_ones_own_people(who: str, sign_in: SignIn, in_force: Any) -> None:
    client = sign_in("hana")
    assert client.get(f"{NEW}?directive={REFERENCE}&person={who}").status_code == 403
    for address in (NEW, SAVE):
        assert client.post(address, form("p009", "p016")).status_code == 403
    assert client.get(f"{NEW}?pick=999:p009").status_code == 404
    assert client.get(f"{NEW}?pick=x").status_code == 404


def test_typing_saves_a_draft_and_answers_with_what_is_ahead(sign_in: SignIn, in_force: Any) -> None:
    client = sign_in("hana")
    sent = form("p009", days="soon", reason="half a sen")
    response = client.post(SAVE, sent, headers={"HX-Request": "true"})
    html = response.content.decode()
    assert response.status_code == 200
    assert "Saved as a draft, only for you to see" in html
    assert "Executive" not in html
    client.post(SAVE, sent | {"reason": "half a sentence"}, headers={"HX-Request": "true"})
    draft = ExceptionDraft.objects.get()
    again = client.get(f"{NEW}?draft={draft.key}").content.decode()
    assert "half a sentence" in again
    assert 'value="soon"' in again
    assert str(draft.key) in client.get("/exceptions/").content.decode()
    for name in ("maren", "lucia", "wei"):
        other = sign_in(name)
        assert other.get(f"{NEW}?draft={draft.key}").status_code == 404
        assert str(draft.key) not in other.get("/exceptions/").content.decode()
        assert other.post(f"/exceptions/drafts/{draft.key}/delete").status_code == 404
    deep = client.post(SAVE, sent | {"item": "mythos-5/vulnerability-discovery", "days": "8"}).content.decode()
    assert "Executive" in deep
    assert client.post(f"/exceptions/drafts/{draft.key}/delete").status_code == 302
    assert not ExceptionDraft.objects.exists()
    assert client.get(f"{NEW}?draft={draft.key}").status_code == 404
    assert client.get(f"{NEW}?draft=x").status_code == 404


def test_a_sent_draft_is_gone(sign_in: SignIn, in_force: Any) -> None:
    client, sent = sign_in("hana"), form("p009")
    client.post(SAVE, sent)
    assert client.post(NEW, sent).status_code == 302
    assert "Not filed yet" not in client.get("/exceptions/").content.decode()
    assert client.post(SAVE, sent).status_code == 409


def test_files_that_came_with_a_refused_form_are_kept(sign_in: SignIn, in_force: Any) -> None:
    client, sent = sign_in("hana"), form("p009", reason=" ")
    html = client.post(NEW, sent | {"file": SimpleUploadedFile("plan.pdf", PDF)}).content.decode()
    assert "plan.pdf" in html
    assert client.post(NEW, sent | {"reason": "now"}).status_code == 302
    request = ExceptionRequest.objects.get()
    assert request.attachments.get().name == "plan.pdf"
    assert "plan.pdf" in client.get(f"/exceptions/{request.pk}/").content.decode()


def test_a_file_that_is_not_taken_is_said_at_its_field(sign_in: SignIn, in_force: Any) -> None:
    response = sign_in("hana").post(NEW, form("p009") | {"file": SimpleUploadedFile("a.pdf", b"MZ\x00\x01")})
    assert response.status_code == 422
    assert 'id="attachments-error"' in response.content.decode()
    assert not ExceptionRequest.objects.exists()


def test_a_file_is_kept_with_the_draft_and_taken_off_again(sign_in: SignIn, in_force: Any) -> None:
    client, sent = sign_in("hana"), form("p009")
    client.post(NEW, sent | {"do": "attach", "file": SimpleUploadedFile("plan.pdf", PDF)})
    (kept,) = ExceptionDraft.objects.get().attachments
    client.post(SAVE, sent)
    assert ExceptionDraft.objects.get().attachments == [kept]
    html = client.post(NEW, sent | {"do": f"detach:{kept['sha256']}"}).content.decode()
    assert "plan.pdf" not in html
    assert not ExceptionDraft.objects.get().attachments


def test_the_wording_comes_without_script_too(sign_in: SignIn, in_force: Any) -> None:
    client = sign_in("hana")
    html = client.post(NEW, form("p009", reason="Sign-off stops.", do="wording")).content.decode()
    assert "Sign-off stops.\n\nWithout access, [what stops" in html
    assert "redacted: [who] takes out" in html
    assert "is supervised" in client.get(NEW, picks("p009")).content.decode()


def test_an_edit_says_how_many_decisions_it_made_void(sign_in: SignIn, act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    client, address = sign_in("hana"), f"/exceptions/{request.pk}/edit"
    html = client.get(address).content.decode()
    assert checked(html, "item") == ["fable-5/use"]
    assert "makes decisions so far void" in html
    sent = form("p009", days="12", reason="nightly")
    html = client.post(address, sent | {"file": SimpleUploadedFile("plan.pdf", PDF)}, follow=True).content.decode()
    assert "1 decision is void" in html
    assert "Decisions before the last change are void" in html
    request.refresh_from_db()
    assert (request.days, request.attachments.count()) == (12, 1)
    sha256 = request.attachments.get().sha256
    client.post(address, sent | {"detach": sha256, "days": "13"})
    assert request.attachments.count() == 0
    assert client.post(address, sent | {"days": "99"}).status_code == 422
    other = file(act_as("hana"), items=[("fable-5", "code-review")])
    taken = client.post(
        address, sent | {"item": ["fable-5/use", "fable-5/code-review"], "reason": "weekly, and by night"}
    )
    assert (taken.status_code, f"Exception {other.pk} for the same person" in taken.content.decode()) == (409, True)
    assert "weekly, and by night" in taken.content.decode(), "what was typed stays"
    assert sign_in("maren").get(address).status_code == 403
    assert sign_in("jonas").get(address).status_code == 404
    approve(act_as, request, "idris", "peter")
    assert client.get(address).status_code == 409


def test_a_directive_that_never_was_in_force_does_not_exist_for_who_may_not_view_directives(
    sign_in: SignIn, act_as: Any, in_force: Any
) -> None:
    """Nor does any say whether it exists to somebody who can file for nobody."""
    secret = directives.create_directive(
        actor=act_as("anjali"), statement=DirectiveStatement("SECRET-1", "Not yet public", VersionStatement(rule=True))
    )
    for reference in ("SECRET-1", "NO-SUCH"):
        hana, wei = sign_in("hana"), sign_in("wei")
        assert hana.get(NEW, {"directive": reference, "person": "p009"}).status_code == 404
        for address in (NEW, SAVE):
            assert hana.post(address, form("p009", directive=reference)).status_code == 404
            assert wei.post(address, form("p010", directive=reference)).status_code == 403
        assert wei.get(NEW, {"directive": reference, "person": "p010"}).status_code == 403
        assert wei.post("/my-access/ask", {"directive": reference, "words": "x"}).status_code == 404
        assert wei.post(f"/directives/{reference}/act", {"act": "withdraw"}).status_code == 403
    assert wei.get(NEW, {"directive": REFERENCE, "person": "p010"}).status_code == 403
    for number in (secret.pk, 999_999):
        assert hana.get(NEW, {"pick": [f"{number}:p009"]}).status_code == 404
    assert not ExceptionDraft.objects.exists()


def test_what_was_typed_is_kept_when_the_directive_is_suspended_meanwhile(
    sign_in: SignIn, act_as: Any, in_force: Any
) -> None:
    lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="suspension", reason="x")
    lifecycle.vote(actor=act_as("maren"), reference=REFERENCE, verdict="approve")
    answer = sign_in("hana").post(NEW, form("p009", reason="The nightly evaluation stops."))
    assert (answer.status_code, "is not in force" in answer.content.decode()) == (409, True)
    assert ExceptionDraft.objects.get().values["reason"] == "The nightly evaluation stops."


def test_who_lost_access_asks_and_reads_what_became_of_it(sign_in: SignIn, in_force: Any) -> None:
    wei, hana = sign_in("wei"), sign_in("hana")
    assert "Ask Hana to request an exception" in wei.get("/my-access").content.decode()
    html = wei.post(
        "/my-access/ask", {"directive": REFERENCE, "words": "The sign-off stops."}, follow=True
    ).content.decode()
    assert "It is with Hana Kimura" in html
    draft = ExceptionDraft.objects.get()
    for page in ("/affected", "/exceptions/"):
        assert "Asked for by Wei Zhang" in hana.get(page).content.decode()
    html = hana.get(f"{NEW}?draft={draft.key}").content.decode()
    assert "The sign-off stops." in html
    assert "fable-5/use" in checked(html, "item")
    assert wei.get(f"{NEW}?draft={draft.key}").status_code == 404
    hana.post(f"/exceptions/drafts/{draft.key}/decline", {"answer": "It can wait."})
    assert "Not filed: “It can wait.”" in wei.get("/my-access").content.decode()
    wei.post("/my-access/ask", {"directive": REFERENCE, "words": "It cannot."})
    draft = ExceptionDraft.objects.get(state="draft")
    hana.post(NEW, form("p009", draft=str(draft.key)))
    request = ExceptionRequest.objects.get()
    assert f"It became exception {request.pk}" in wei.get("/my-access").content.decode()
    assert wei.post(f"/my-access/{draft.key}/take-back").status_code == 409
    assert hana.post(f"/my-access/{draft.key}/take-back").status_code == 404


def test_operators_find_what_nobody_manages_on_their_overview(sign_in: SignIn, in_force: Any) -> None:
    from governance.accounts.models import User

    User.objects.create_user("ella", "ella.tremblay@example.net", "a long password for her")
    ella = sign_in("ella")
    html = ella.post(
        "/my-access/ask", {"directive": REFERENCE, "words": "Hardening stops."}, follow=True
    ).content.decode()
    assert "It is with trust and safety" in html
    assert "Ella Tremblay asks for an exception" in sign_in("lucia").get("/").content.decode()
    assert "Ella Tremblay asks" not in sign_in("peter").get("/").content.decode()
    draft = ExceptionDraft.objects.get()
    assert "Hardening stops." in sign_in("lucia").get(f"{NEW}?draft={draft.key}").content.decode()


def test_the_form_costs_the_same_for_two_people_and_for_five(sign_in: SignIn, in_force: Any) -> None:
    client = sign_in("hana")

    def queries(*people: str) -> int:
        chosen = picks(*people)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(NEW, chosen).status_code == 200
        return len(captured)

    queries("p009", "p010")
    assert queries("p009", "p010") == queries("p008", "p009", "p010", "p012", "p020") <= 44


def test_the_list_of_affected_people_offers_a_box_for_each(sign_in: SignIn, act_as: Any, in_force: Any) -> None:
    file(act_as("hana"))
    html = sign_in("hana").get("/affected").content.decode()
    boxes = re.findall(r'name="pick" form="ask" value="\d+:(p\d+)"', html)
    assert "p010" in boxes
    assert "p009" not in boxes
