"""The frame around every page: navigation by rights, what goes wrong, sign-in, password, theme, what may be loaded."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.db import OperationalError
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.utils.text import smart_split

from governance.accounts.models import User
from governance.errors import WrongState
from governance.web.templatetags.portcullis import at, few, plural
from tests.conftest import PASSWORD, REFERENCE

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
ROOT = Path(settings.BASE_DIR)
NEW = "an entirely different phrase"


def links(html: str) -> list[str]:
    """What the main navigation offers, in order."""
    side = html[html.index('aria-label="Main"') : html.index("</nav>", html.index('aria-label="Main"'))]
    return re.findall(r'<a href="([^"]+)"', side)


@pytest.mark.parametrize(
    ("account", "offered"),
    [
        (
            "maren",
            [
                "/",
                "/directives/",
                "/exceptions/",
                "/waivers/",
                "/runs/",
                "/approvals/",
                "/break-glass/",
                "/matrix",
                "/audiences/",
                "/gateways",
                "/affected",
                "/notifications/",
                "/my-access",
            ],
        ),
        ("teo", ["/people/", "/held/", "/notifications/", "/my-access"]),
        ("hana", ["/affected", "/exceptions/", "/waivers/", "/notifications/", "/my-access"]),
        ("wei", ["/notifications/", "/my-access"]),
        ("admin", ["/rights/", "/policies/", "/held/?of=roles", "/notifications/", "/my-access"]),
    ],
)
def test_the_navigation_offers_what_the_account_may_open(
    account: str, offered: list[str], sign_in: Callable[[str], Client]
) -> None:
    client = sign_in(account)
    found = links(client.get("/my-access").content.decode())
    assert found == offered
    assert [client.get(address).status_code for address in found] == [200] * len(found)


def test_the_page_one_is_on_is_marked_in_the_navigation(sign_in: Callable[[str], Client]) -> None:
    html = sign_in("lucia").get(f"/directives/{REFERENCE}/").content.decode()
    assert re.search(r'<a href="/directives/" aria-current="page">', html)
    assert not re.search(r'<a href="/" aria-current="page">', html)


def test_managers_and_employees_get_no_operator_frame(sign_in: Callable[[str], Client]) -> None:
    assert 'class="side"' not in sign_in("hana").get("/my-access").content.decode()
    assert 'class="side"' in sign_in("lucia").get("/my-access").content.decode()


def test_a_run_that_goes_on_is_shown_on_every_page_with_how_far_it_is(
    sign_in: Callable[[str], Client], act_as: Callable[[str], Any]
) -> None:
    from governance.enforcement.services import lifecycle

    assert 'class="live"' not in sign_in("lucia").get("/people/").content.decode()
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    run = lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE).run
    html = sign_in("lucia").get("/people/").content.decode()
    assert f'href="/runs/{run.pk}/"' in html
    assert f"Run {run.pk}, 0%" in html
    assert 'class="live"' not in sign_in("teo").get("/people/").content.decode()


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_an_address_that_is_none_keeps_the_frame_and_says_so(sign_in: Callable[[str], Client]) -> None:
    response = sign_in("lucia").get("/no-such-page")
    assert response.status_code == 404
    assert "There is no such page" in response.content.decode()
    assert links(response.content.decode())
    assert Client().get("/no-such-page").status_code == 404


@pytest.mark.parametrize(
    "address",
    ["/people/%00/", "/directives/%00/", "/people/?kind=%00", "/find?q=a%00b", "/explain?person=%00&item=a/b"],
)
def test_a_character_that_no_record_can_hold_is_refused_unread(address: str, sign_in: Callable[[str], Client]) -> None:
    assert sign_in("lucia").get(address).status_code == 400


def test_such_a_character_in_a_form_changes_nothing(sign_in: Callable[[str], Client]) -> None:
    response = sign_in("lucia").post(f"/directives/{REFERENCE}/act", {"act": "suspend", "reason": "a\x00b"})
    assert response.status_code == 400
    assert "Nothing was changed" in response.content.decode()


def test_a_refusal_is_a_page_with_its_reason_and_a_way_back(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("lucia")
    back = f"http://testserver/directives/{REFERENCE}/"
    response = client.get("/approvals/", headers={"Referer": back})
    assert response.status_code == 403
    assert f'href="{back}"' in response.content.decode()
    assert "may decide at a stage" in response.content.decode()


def test_a_way_back_never_leads_elsewhere(sign_in: Callable[[str], Client]) -> None:
    html = sign_in("lucia").get("/approvals/", headers={"Referer": "https://elsewhere.example/x"}).content.decode()
    assert "elsewhere.example" not in html


def test_a_refusal_inside_a_page_is_a_notice_in_place_of_the_answer(sign_in: Callable[[str], Client]) -> None:
    for address, status in (
        ("/approvals/", 403),
        ("/runs/999999/live", 404),
        ("/no-such-page", 404),
        ("/people/%00/", 400),
    ):
        response = sign_in("lucia").get(address, headers=HTMX)
        html = response.content.decode()
        assert response.status_code == status
        assert 'role="alert"' in html
        assert "<html" not in html
        assert response["HX-Reselect"] == "unset"


def test_a_state_that_moved_on_answers_409_with_the_reason(sign_in: Callable[[str], Client]) -> None:
    with mock.patch("governance.web.views.runs.queries.progress", side_effect=WrongState("It moved on.")):
        response = sign_in("lucia").get("/runs/1/live")
    assert response.status_code in (404, 409)
    with mock.patch("governance.web.views.people.LIST.__class__.page", side_effect=WrongState("It moved on.")):
        response = sign_in("lucia").get("/people/")
    assert response.status_code == 409
    assert "It moved on." in response.content.decode()


def test_the_page_for_a_broken_server_asks_nothing_of_the_database(django_assert_num_queries: Any) -> None:
    from governance.web.views.errors import server_error

    request = RequestFactory().get("/")
    request.user = mock.Mock(side_effect=OperationalError)  # type: ignore[assignment]
    with django_assert_num_queries(0):
        response = server_error(request)
    assert response.status_code == 500
    assert "Something broke on our side" in response.content.decode()


def test_a_form_that_was_open_too_long_is_told_so(sign_in: Callable[[str], Client]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="wei"), backend="django.contrib.auth.backends.ModelBackend")
    response = client.post("/theme", {"theme": "dark"})
    assert response.status_code == 403
    assert "open too long" in response.content.decode()
    inside = client.post("/theme", {"theme": "dark"}, headers=HTMX).content.decode()
    assert "open too long" in inside
    assert "<html" not in inside


# -- sign-in, password, theme ------------------------------------------------------------------------------------------


def test_signing_in_leads_back_to_the_page_that_was_asked_for(db: None) -> None:
    client = Client()
    asked = client.get("/people/?q=wei")
    address = asked["Location"]
    html = client.get(address).content.decode()
    wanted = re.search(r'name="next" value="([^"]*)"', html)
    assert wanted is not None
    response = client.post("/sign-in", {"username": "lucia", "password": PASSWORD, "next": wanted[1]})
    assert response["Location"] == "/people/?q=wei"


def test_signing_in_never_leads_to_another_site(db: None) -> None:
    form = {"username": "lucia", "password": PASSWORD, "next": "https://elsewhere.example/"}
    assert Client().post("/sign-in", form)["Location"] == "/"


def test_a_wrong_password_and_an_unknown_name_read_the_same(db: None) -> None:
    answers = [
        Client().post("/sign-in", {"username": name, "password": "wrong"}).content.decode().replace(name, "")
        for name in ("lucia", "nobody-of-that-name")
    ]
    cleaned = [re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", answer) for answer in answers]
    assert "do not match" in cleaned[0]
    assert cleaned[0] == cleaned[1]


def test_a_deactivated_account_cannot_sign_in_and_loses_its_session(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("lucia")
    User.objects.filter(username="lucia").update(is_active=False)
    assert client.get("/people/").status_code == 302
    assert "do not match" in Client().post("/sign-in", {"username": "lucia", "password": PASSWORD}).content.decode()


def test_signing_out_needs_a_post(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("lucia")
    assert client.get("/sign-out").status_code == 405
    assert client.post("/sign-out").status_code == 302
    assert client.get("/people/").status_code == 302


def test_a_lost_session_brings_one_back_to_the_same_page_and_filter(db: None) -> None:
    current = "http://testserver/people/?q=wei&kind=employee"
    response = Client().get("/people/", headers=HTMX | {"HX-Current-URL": current})
    assert response.status_code == 401
    assert response["HX-Redirect"] == "/sign-in?next=%2Fpeople%2F%3Fq%3Dwei%26kind%3Demployee"


def test_changing_the_password_keeps_this_session_and_ends_the_others(sign_in: Callable[[str], Client]) -> None:
    here, elsewhere = sign_in("wei"), sign_in("wei")
    response = here.post("/password", {"old": PASSWORD, "new": NEW, "again": NEW})
    assert response.status_code == 302
    assert here.get("/my-access").status_code == 200
    assert elsewhere.get("/my-access").status_code == 302
    assert Client().post("/sign-in", {"username": "wei", "password": NEW}).status_code == 302


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"old": "wrong", "new": NEW, "again": NEW}, "present password"),
        ({"old": PASSWORD, "new": "short", "again": "short"}, "too short"),
        ({"old": PASSWORD, "new": NEW, "again": NEW + "s"}, "differ"),
        ({}, "present password"),
    ],
)
def test_a_password_that_cannot_be_taken_changes_nothing(
    form: dict[str, str], words: str, sign_in: Callable[[str], Client]
) -> None:
    response = sign_in("wei").post("/password", form)
    assert response.status_code == 422
    assert words in response.content.decode()
    assert User.objects.get(username="wei").check_password(PASSWORD)


def test_a_theme_is_kept_and_comes_with_the_page(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("wei")
    assert "data-theme" not in client.get("/my-access").content.decode()
    response = client.post("/theme", {"theme": "dark", "next": "/my-access"})
    assert response["Location"] == "/my-access"
    assert '<html lang="en" data-theme="dark">' in client.get("/my-access").content.decode()
    assert client.post("/theme", {"theme": "neon"}).status_code == 422
    assert client.post("/theme", {"theme": "", "next": "//elsewhere.example"})["Location"] == "/"


# -- what may be loaded ------------------------------------------------------------------------------------------------


def test_answers_are_not_kept_and_may_differ_for_htmx(sign_in: Callable[[str], Client]) -> None:
    response = sign_in("lucia").get("/people/")
    assert response["Cache-Control"] == "no-store"
    assert "HX-Request" in response["Vary"]


def test_templates_hold_no_inline_script_style_or_handler() -> None:
    refused = re.compile(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on|<script(?![^>]*\ssrc=)|https?://")
    for template in (ROOT / "templates").rglob("*.html"):
        found = refused.search(template.read_text())
        assert found is None, (template.name, found and found[0])


def test_every_icon_that_is_named_is_in_the_sprite() -> None:
    sprite = set(re.findall(r'id="([^"]+)"', (ROOT / "static" / "icons.svg").read_text()))
    for template in (ROOT / "templates").rglob("*.html"):
        text = template.read_text()
        named = set(re.findall(r'{% icon "([^"]+)"', text))
        for tag in re.findall(r"{% badge (.+?) %}", text):
            words = list(smart_split(tag))
            named |= {words[2].strip('"')} if len(words) == 3 else set()
        assert named <= sprite, (template.name, named - sprite)


def test_the_style_sheet_states_colours_only_as_tokens() -> None:
    """Colours live in the token block, with a light and a dark value; a few shadows and inks stand where they are used."""
    css = (ROOT / "static" / "app.css").read_text()
    after = css[css.index("/* ---------- Base") :]
    for line in after.splitlines():
        plain = re.sub(r"light-dark\([^)]*\)|#00000059|#fff;|url\([^)]*\)", "", line)
        assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?=[;,\s)])", plain), line


# -- words and numbers -------------------------------------------------------------------------------------------------


def render(template: str, **context: Any) -> str:
    return Template(template).render(Context(context))


def test_times_carry_their_zone_in_summer_and_in_winter() -> None:
    from datetime import UTC, datetime

    assert "Fri 12 June 2026, 5:21 p.m. Eastern" in at(datetime(2026, 6, 12, 21, 21, tzinfo=UTC))
    assert "Mon 12 January 2026, 12:05 a.m. Eastern" in at(datetime(2026, 1, 12, 5, 5, tzinfo=UTC))
    assert at(None) == "–"


def test_small_counts_stay_vague_without_the_permission() -> None:
    assert [few(n, exact=False) for n in (0, 1, 4, 5, 1392)] == ["0", "fewer than 5", "fewer than 5", "5", "1,392"]
    assert few(3, exact=True) == "3"


def test_one_person_and_two_people() -> None:
    assert (plural(1, "person,people"), plural(2, "person,people"), plural(None, "person,people")) == (
        "person", "people", "people",
    )  # fmt: skip


def test_what_people_wrote_is_shown_as_text() -> None:
    assert "&lt;b&gt;" in render('{% badge text "none" %}', text="<b>bold</b>")


def test_an_address_keeps_its_filters_and_pages_anew() -> None:
    request = RequestFactory().get("/people/?q=wei&after=abc&sort=name")
    assert render('{% query sort="-name" %}', request=request) == "?q=wei&amp;sort=-name"
    assert render('{% query after="xyz" %}', request=request) == "?q=wei&amp;sort=name&amp;after=xyz"
