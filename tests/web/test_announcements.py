"""The pages about messages: read before they go out, held, released, stopped, corrected; and what each person was told."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.communications.models import Announcement, Message, Wording
from governance.communications.states import AnnouncementState, MailState
from governance.enforcement.services import lifecycle
from governance.ledger.models import Entry
from governance.moments import local, now
from tests.communications.test_messages import tell
from tests.conftest import EXPECTED, REFERENCE

pytestmark = pytest.mark.django_db
ADDRESS = f"/directives/{REFERENCE}/messages"


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


def test_whoever_activates_reads_the_messages_first(sign_in: Callable[[str], Client], act_as: Any) -> None:
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    assert ADDRESS in text_of(sign_in("lucia").get(f"/directives/{REFERENCE}/"))
    page = text_of(sign_in("lucia").get(ADDRESS))
    assert f"<dt>Told that access is off</dt><dd>{EXPECTED['directives'][REFERENCE]['lose_access']}</dd>" in page
    assert "It is not about anything you did" in page
    assert "What is left out" in page
    assert Entry.objects.filter(action="look.list", actor="lucia", subject=f"directive:{REFERENCE}").exists()
    assert not Message.objects.exists(), "looking sends nothing"


def test_words_are_kept_and_what_cannot_be_sent_comes_back_as_typed(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("lucia")
    words = {"audience": "off", "subject": "Off: {models}", "body": "Since {since}."}
    assert client.post(f"{ADDRESS}/1/words", words).status_code == 302
    assert Wording.objects.get().subject == "Off: {models}"
    refused = client.post(f"{ADDRESS}/1/words", words | {"body": "{citizenships} and more"})
    assert refused.status_code == 422
    assert "{citizenships} and more" in refused.content.decode()
    assert 'href="#body-off"' in refused.content.decode()
    assert client.post(f"{ADDRESS}/1/words", words | {"act": "standard"}).status_code == 302
    assert "can’t use" in Wording.objects.get().subject
    assert client.post(f"{ADDRESS}/99/words", words).status_code == 404
    for name in ("auditor", "wei", "hana", "admin"):
        assert sign_in(name).post(f"{ADDRESS}/1/words", words).status_code == 403


def test_holding_needs_a_time_that_is_to_come(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("lucia")
    for until in ("", "never", "2020-01-01T10:00", f"{local(now()) + timedelta(days=9):%Y-%m-%dT%H:%M}"):
        refused = client.post(f"{ADDRESS}/1/hold", {"until": until})
        assert refused.status_code == 422, until
        assert 'href="#until"' in refused.content.decode()
    until = f"{local(now()) + timedelta(hours=3):%Y-%m-%dT%H:%M}"
    assert client.post(f"{ADDRESS}/1/hold", {"until": until}).status_code == 302
    assert "Held for counsel until" in text_of(client.get(ADDRESS))
    assert client.post(f"{ADDRESS}/1/hold", {"act": "with-activation"}).status_code == 302
    assert "With the activation, at once" in text_of(client.get(ADDRESS))


def test_an_announcement_shows_what_went_out_and_what_came_back(
    sign_in: Callable[[str], Client], in_force: Any, machine: Any
) -> None:
    tell(machine)
    announcement = Announcement.objects.get()
    Message.objects.filter(pk__in=announcement.messages.values("pk")[:1]).update(
        mail=MailState.BOUNCED, problem="5.1.1"
    )
    client = sign_in("lucia")
    page = text_of(client.get(f"/announcements/{announcement.pk}/"))
    assert "5.1.1" in page
    assert "Came back" in page
    assert 'hx-trigger="every' not in page, "nothing moves any more"
    assert client.get(f"/announcements/{announcement.pk}/live").status_code == 200
    came_back = Message.objects.get(mail=MailState.BOUNCED)
    again = {"act": "again", "message": came_back.pk}
    assert sign_in("auditor").post(f"/announcements/{announcement.pk}/act", again).status_code == 403
    assert client.post(f"/announcements/{announcement.pk}/act", again).status_code == 302
    came_back.refresh_from_db()
    assert came_back.mail == MailState.DUE
    assert client.post(f"/announcements/{announcement.pk}/act", again).status_code == 409
    assert client.get("/announcements/999/").status_code == 404
    assert sign_in("maren").get(f"/announcements/{announcement.pk}/").status_code == 403


def test_a_correction_keeps_what_was_typed_and_goes_to_those_who_got_it(
    sign_in: Callable[[str], Client], in_force: Any, machine: Any
) -> None:
    tell(machine)
    first = Announcement.objects.get()
    got = first.messages.filter(audience="off").count()
    client = sign_in("lucia")
    typed = {"act": "correct", "audience": "off", "seen": got, "subject": "", "body": "The date was wrong."}
    refused = client.post(f"/announcements/{first.pk}/act", typed)
    assert refused.status_code == 422
    assert "The date was wrong." in refused.content.decode()
    refused = client.post(f"/announcements/{first.pk}/act", typed | {"seen": "1", "subject": "x"})
    assert refused.status_code == 409
    assert "The date was wrong." in refused.content.decode()
    assert client.post(f"/announcements/{first.pk}/act", typed | {"subject": "A correction"}).status_code == 302
    twice = client.post(f"/announcements/{first.pk}/act", typed | {"subject": "A correction"})
    assert "was sent already" in twice.content.decode()
    correction = Announcement.objects.get(occasion="correction")
    assert correction.messages.count() == got
    assert "Corrects" in text_of(client.get(f"/announcements/{correction.pk}/"))


def test_counsel_releases_or_stops_what_is_held(
    sign_in: Callable[[str], Client], act_as: Any, machine: Any
) -> None:  # fmt: skip
    until = f"{local(now()) + timedelta(hours=3):%Y-%m-%dT%H:%M}"
    assert sign_in("lucia").post(f"{ADDRESS}/1/hold", {"until": until}).status_code == 302
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)
    tell(machine)
    held = Announcement.objects.get()
    assert sign_in("lucia").post(f"/announcements/{held.pk}/act", {"act": "release"}).status_code == 403
    assert sign_in("peter").post(f"/announcements/{held.pk}/act", {"act": "stop", "reason": ""}).status_code == 422
    assert "Release now" in text_of(sign_in("peter").get(f"/announcements/{held.pk}/"))
    assert sign_in("peter").post(f"/announcements/{held.pk}/act", {"act": "release"}).status_code == 302
    held.refresh_from_db()
    assert held.state == AnnouncementState.RELEASED


def test_everybody_reads_on_my_access_what_they_were_told_and_nobody_else_does(
    sign_in: Callable[[str], Client], in_force: Any, machine: Any
) -> None:
    tell(machine)
    page = text_of(sign_in("wei").get("/my-access"))
    assert "What we told you" in page
    assert "You can’t use" in page
    for name in ("admin", "auditor"):
        assert "What we told you" not in text_of(sign_in(name).get("/my-access"))


def test_the_page_asks_a_bounded_number_of_questions(
    sign_in: Callable[[str], Client], in_force: Any, machine: Any
) -> None:  # fmt: skip
    tell(machine)
    client = sign_in("lucia")
    client.get(ADDRESS)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(ADDRESS).status_code == 200
    assert len(captured) <= 48, len(captured)


def test_whoever_steers_no_messages_is_not_told_which_there_are(
    sign_in: Callable[[str], Client], in_force: Any, machine: Any
) -> None:
    tell(machine)
    for number in (Announcement.objects.get().pk, 999_999):
        for act in ("stop", "release", "correct", "again"):
            answer = sign_in("wei").post(f"/announcements/{number}/act", {"act": act, "reason": "x"})
            assert answer.status_code == 403, (number, act)
