"""Writing a rule: counts at each row, what is proved of it, test people that guard it, and the plan without a pause."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.directives.models import CountryGroup, Directive, TestPerson
from governance.enforcement.services import lifecycle
from governance.errors import Invalid
from governance.ledger.models import Entry
from governance.people.models import Person
from tests.conftest import REFERENCE, put_in_force
from tests.directives import steps

pytestmark = pytest.mark.django_db
EDIT = f"/directives/{REFERENCE}/edit"
PREVIEW = f"/directives/{REFERENCE}/preview"
RULE = {
    "k0": "not", "d0": "0", "k1": "leaf", "d1": "1", "a1": "person.citizenships", "o1": "includes_any", "v1": "US",
}  # fmt: skip
FORM = {
    "model": ["fable-5", "mythos-5"], "caps-fable-5": "all", "caps-mythos-5": "all", "include_derived": "on",
    "unknown": "deny", "effect": "deny", "legal_basis": "Letter", **RULE,
}  # fmt: skip


AND_US = {
    "k2": "leaf", "d2": "1", "a2": "person.citizenships", "o2": "includes_any", "v2": "US",
}  # fmt: skip


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def counting(captured: CaptureQueriesContext) -> int:
    return sum("FILTER (WHERE" in query["sql"] and "GROUPING" not in query["sql"] for query in captured)


def test_each_row_says_of_how_many_people_it_is_true_in_one_question(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("anjali")
    client.post(PREVIEW, FORM)
    with CaptureQueriesContext(connection) as captured:
        response = client.post(PREVIEW, FORM)
    text = response.content.decode()
    assert re.search(r'id="count-0" hx-swap-oob="true">True of 17 people, unknown of 4<', text)
    assert re.search(r'id="count-1" hx-swap-oob="true">True of 15 people, unknown of 4<', text)
    assert counting(captured) == 1


def test_a_button_of_the_builder_works_without_a_script_and_can_be_undone(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("lucia")
    page = client.post(EDIT, FORM | {"do": "template:outside-vetted"})
    assert page.status_code == 200
    assert "organisation vetting" in words(page)
    past = re.search(r'name="past" value="([^"]*)"', page.content.decode())
    assert past is not None
    back = client.post(EDIT, FORM | {"do": "undo", "past": past[1].replace("&quot;", '"')})
    assert "True of 17 people, unknown of fewer than 5" in words(back)


def test_a_button_answers_with_the_figures_of_the_rows_it_brings(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("lucia")
    htmx = {"HX-Request": "true", "HX-Target": "builder"}
    answer = client.post(EDIT, FORM | {"do": "remove:1"}, headers=htmx).content.decode()
    rows, _, beside = answer.partition('<div id="impact" hx-swap-oob="innerHTML">')
    assert 'name="k0"' in rows and 'name="k1"' not in rows
    assert re.search(r'id="lose">0<', beside) and "Nobody" in beside
    assert re.search(r'id="unknown-now" hx-swap-oob="true">0 people now<', beside)
    refused = client.post(EDIT, FORM | {"do": "import", "json": "{"}, headers=htmx).content.decode()
    assert re.search(r'id="lose">21<', refused)


def test_a_directive_that_is_not_saved_has_the_same_beside_it(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("anjali")
    assert 'hx-post="/directives/preview"' in client.get("/directives/new").content.decode()
    live = FORM | {"reference": "US-9", "title": "", "kind": "order", "unknown": "verify", "hours": "72"}
    client.post("/directives/preview", live)
    with CaptureQueriesContext(connection) as captured:
        response = client.post("/directives/preview", live)
    assert counting(captured) == 1
    text = response.content.decode()
    assert re.search(r'id="count-0" hx-swap-oob="true">True of 17 people, unknown of 4<', text)
    assert re.search(r'id="lose">17<', text)
    assert "People whose citizenships do not include United States." in words(response)
    rows = {"k1": "leaf", "d1": "1", "a1": "person.status", "o1": "in", "v1": "active, on_leave, departed"}
    assert "This part changes nothing" in words(
        client.post("/directives/preview", FORM | {"k0": "all"} | rows | AND_US)
    )
    assert "Ask for approval" not in text
    assert not Directive.objects.filter(reference="US-9").exists()
    for account in ("wei", "hana", "admin", "auditor", "maren"):
        assert sign_in(account).post("/directives/preview", FORM).status_code == 403, account


def test_what_is_half_typed_leaves_the_rest_and_no_old_figure(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("lucia")
    half = FORM | {"k0": "any", "v1": "US, U", "hours": "x", "unknown": "verify"} | AND_US
    for address in (PREVIEW, "/directives/preview"):
        response = client.post(address, half)
        text = response.content.decode()
        assert re.search(r'id="count-0" hx-swap-oob="true"></p>', text)
        assert re.search(r'id="count-1" hx-swap-oob="true">.*“U” is neither a country nor a group of countries<', text)
        assert re.search(r'id="count-2" hx-swap-oob="true">True of 15 people, unknown of fewer than 5<', text)
        assert re.search(r'id="unknown-now" hx-swap-oob="true"></span>', text)
        told = words(response)
        assert "Rule row 2: “U” is neither" in told and "Hours must be a whole number" in told
        assert "Without what is unfinished People whose citizenships include United States." in told
        assert 'id="lose"' not in text


def test_the_exported_rule_follows_the_rows_until_somebody_edits_it(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("lucia")
    page = client.get(EDIT).content.decode()
    mark = re.search(r'name="json-shown" value="(\w+)"', page)
    assert mark is not None
    shown = '{"not": {"attr": "person.citizenships", "op": "includes_any", "value": ["US"]}}'
    typed = FORM | {"v1": "France", "json-shown": mark[1]}
    assert "&quot;FR&quot;" in client.post(PREVIEW, typed | {"json": shown}).content.decode()
    assert 'id="json"' not in client.post(PREVIEW, typed | {"json": shown + " x"}).content.decode()


def test_countries_and_their_groups_are_offered(sign_in: Callable[[str], Client]) -> None:
    CountryGroup.objects.create(name="allies", countries=["GB", "JP"])
    client = sign_in("lucia")
    page = client.get(EDIT)
    text = page.content.decode()
    assert '<option value="group:allies">2 countries</option>' in text and '<option value="Japan">JP</option>' in text
    assert "group:allies United Kingdom, Japan" in words(page)
    assert re.search(r'name="p1"[^>]*list="countries"', text)
    picked = client.post(EDIT, FORM | {"do": "pick:1", "p1": "allies"})
    assert 'value="United States, group:allies"' in picked.content.decode()
    assert client.post(EDIT, FORM | {"p1": "Japan"}).status_code == 302
    saved = Directive.objects.get(reference=REFERENCE).versions.get().rule
    assert saved == {"not": {"attr": "person.citizenships", "op": "includes_any", "value": ["US", "JP"]}}


def test_json_that_is_no_rule_is_refused_beside_what_was_typed(sign_in: Callable[[str], Client]) -> None:
    page = sign_in("lucia").post(EDIT, FORM | {"do": "import", "json": "{not json"})
    assert page.status_code == 422
    assert "{not json" in page.content.decode()


def test_a_branch_that_changes_nothing_is_named(sign_in: Callable[[str], Client]) -> None:
    rows = {
        "k0": "all", "d0": "0", **{f"{key[0]}{int(key[1]) + 1}": value for key, value in RULE.items()},
        "d1": "1", "d2": "2", "k3": "leaf", "d3": "1", "a3": "person.status", "o3": "in", "v3": "active, on_leave, departed",
    }  # fmt: skip
    text = words(sign_in("lucia").post(PREVIEW, FORM | rows))
    assert "This part changes nothing and can be left out" in text


def test_a_narrower_version_is_proved_narrower_with_an_invented_person(
    sign_in: Callable[[str], Client], in_force: Any
) -> None:
    client = sign_in("lucia")
    client.post(f"/directives/{REFERENCE}/act", {"act": "new-version"})
    narrower = FORM | {"k0": "not", "v1": "US, GB"}
    text = words(client.post(PREVIEW, narrower))
    assert "Strictly narrower than the version in force: nobody is added." in text
    assert "United Kingdom" in text
    client.post(EDIT, narrower)
    page = words(client.get(f"/directives/{REFERENCE}/versions/2"))
    assert "Strictly narrower than the version in force: nobody is added." in page


def save(client: Client, name: str, expected: str, **facts: str) -> Any:
    return client.post(
        f"/directives/{REFERENCE}/test-people",
        {"name": name, "expected": expected} | {f"fact-person.{key}": value for key, value in facts.items()},
    )


def test_test_people_run_on_every_version_and_block_one_that_gets_somebody_wrong(
    sign_in: Callable[[str], Client], act_as: Any
) -> None:
    client = sign_in("lucia")
    assert save(client, "citizen", "not_covered", citizenships="US, JP").status_code == 302
    assert save(client, "stateless", "covered", citizenships="none").status_code == 302
    assert save(client, "not asked", "unknown").status_code == 302
    assert save(client, "green card", "not_covered", citizenships="Japan", permanent_residences="US").status_code == 302
    page = words(client.get(EDIT))
    assert "Covered, and should be not covered" in page
    with pytest.raises(Invalid, match="green card: is covered, and should be not covered"):
        lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    assert Directive.objects.get(reference=REFERENCE).state == "draft"
    wrong = TestPerson.objects.get(name="green card")
    assert client.post(f"/directives/{REFERENCE}/test-people/{wrong.pk}/remove").status_code == 302
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    assert "JP" not in "".join(Entry.objects.filter(action__contains="test_person").values_list("record", flat=True))


def test_what_a_test_person_cannot_be_is_refused_with_the_field(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("lucia")
    for facts, place in (({"citizenships": "Nippon"}, "citizenships"), ({"start_date": "soon"}, "start_date")):
        response = save(client, "odd", "covered", **facts)
        assert response.status_code == 422
        assert place in words(response)
    assert save(client, " ", "covered").status_code == 422
    assert save(sign_in("peter"), "x", "covered").status_code == 403
    assert not TestPerson.objects.exists()


def test_an_emergency_does_not_wait_for_test_people(sign_in: Callable[[str], Client], act_as: Any) -> None:
    save(sign_in("lucia"), "wrong", "not_covered", citizenships="JP")
    lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE, emergency=True, reason="now")
    assert Directive.objects.get(reference=REFERENCE).state == "active"


def test_the_plan_of_an_order_that_takes_over_from_a_pause_says_what_the_order_does_by_itself(
    sign_in: Callable[[str], Client], act_as: Any
) -> None:
    client = sign_in("lucia")
    pause = {
        "reference": "PAUSE-1", "title": "Pause", "kind": "pause", "model": ["fable-5", "mythos-5"], "unknown": "deny",
        "effect": "deny", "waivable": "never", "k0": "true", "d0": "0",
    }  # fmt: skip
    assert client.post("/directives/new", pause).status_code == 302
    lifecycle.submit(actor=act_as("tomas"), reference="PAUSE-1")
    lifecycle.vote(actor=act_as("peter"), reference="PAUSE-1", verdict="approve")
    lifecycle.activate(actor=act_as("lucia"), reference="PAUSE-1")
    text = words(client.post(PREVIEW, FORM | {"replaces": "PAUSE-1"}))
    assert "By itself, this version ends access for 21 people" in text
    assert "Regain access" in text
    assert "Covers less than PAUSE-1, which it replaces, on other terms: nobody is added." in text
    assert "It admits waivers under the authority’s licence only; PAUSE-1 admits no waivers." in text
    assert "Adds nothing to PAUSE-1 while that is in force" in words(client.post(PREVIEW, FORM))


def test_the_figures_of_a_draft_are_for_those_who_write_directives(sign_in: Callable[[str], Client]) -> None:
    for account in ("wei", "hana", "admin", "auditor", "maren"):
        client = sign_in(account)
        assert client.post(PREVIEW, FORM).status_code == 403, account
        response = client.post(f"/directives/{REFERENCE}/act", {"act": "submit", "count": "x"})
        assert response.status_code == 403, account
        assert "lose access" not in words(response)


def test_an_approver_sees_that_the_plan_is_out_of_date(sign_in: Callable[[str], Client], act_as: Any) -> None:
    asked = lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    client = sign_in("peter")
    assert "The plan is out of date" not in words(client.get(f"/approvals/{asked.pk}/"))
    Person.objects.filter(pk__in=["p001", "p002", "p003", "p004", "p005"]).update(citizenships=["FR"])
    page = words(client.get(f"/approvals/{asked.pk}/"))
    assert "The plan is out of date" in page
    assert "5 more people and 0 fewer are covered or unknown than the 21" in page
    vote = client.post(f"/approvals/{asked.pk}/vote", {"verdict": "approve", "seen": asked.content_digest})
    assert vote.status_code == 409


def test_an_approver_reads_how_the_version_stands_to_the_one_in_force_and_to_other_directives(
    sign_in: Callable[[str], Client], act_as: Any, in_force: Any
) -> None:
    """Version 2 was rejected: version 3 is as it, and narrower than what is in force."""
    steps.new_version(act_as, rule=steps.NARROWER)
    steps.pause(act_as)
    client = sign_in("lucia")
    for number in (2, 3):
        asked = steps.submit(act_as)
        page = words(sign_in("peter").get(f"/approvals/{asked.pk}/"))
        assert "Strictly narrower than the version in force: nobody is added." in page
        assert "Adds nothing to PAUSE-1 while that is in force" in page
        assert "Adds nothing to PAUSE-1" in words(client.get(f"/directives/{REFERENCE}/versions/{number}"))
        steps.vote(act_as, verdict="reject")


def test_an_approver_sees_the_test_people_and_which_were_removed_or_changed(
    sign_in: Callable[[str], Client], act_as: Any
) -> None:
    client = sign_in("lucia")
    save(client, "gone before", "covered", citizenships="JP")
    client.post(f"/directives/{REFERENCE}/test-people/{TestPerson.objects.get().pk}/remove")
    save(client, "citizen", "not_covered", citizenships="US")
    save(client, "unasked", "unknown")
    done = put_in_force(act_as)
    assert done.version.number == 1
    steps.new_version(act_as)
    save(client, "green card", "not_covered", citizenships="JP", permanent_residences="US")
    with pytest.raises(Invalid, match="green card"):
        steps.submit(act_as)
    for name in ("green card", "unasked"):
        client.post(f"/directives/{REFERENCE}/test-people/{TestPerson.objects.get(name=name).pk}/remove")
    save(client, "unasked", "unknown")
    save(client, "citizen", "not_covered", citizenships="US, JP")
    asked = steps.submit(act_as)
    page = words(sign_in("peter").get(f"/approvals/{asked.pk}/"))
    assert "Test people 2 profiles, 2 removed or changed" in page
    assert re.search(r"citizen Not covered As expected", page)
    assert re.search(r"green card Removed by lucia, .* since version 1 took force Removed", page)
    assert re.search(r"citizen Changed by lucia, .* since version 1 took force Changed", page)
    assert "gone before" not in page
    assert page.count("unasked") == 1, "removed and put back as it was"


def test_a_refused_confirmation_can_be_asked_for_again_from_the_page(
    sign_in: Callable[[str], Client], act_as: Any
) -> None:
    lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE, emergency=True, reason="now")
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="reject")
    client = sign_in("tomas")
    assert "Ask to confirm again" in words(client.get(f"/directives/{REFERENCE}/"))
    client.post(f"/directives/{REFERENCE}/act", {"act": "confirm", "reason": "counsel has seen the letter"})
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    assert "not confirmed" not in words(client.get(f"/directives/{REFERENCE}/"))


def test_the_approver_of_an_end_sees_who_begins_to_have_access_again(
    sign_in: Callable[[str], Client], act_as: Any, in_force: Any
) -> None:
    for act in ("suspension", "rescission"):
        asked = lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act=act, reason="withdrawn")
        page = words(sign_in("idris").get(f"/approvals/{asked.pk}/"))
        assert "21 people begin to have access again" in page
        assert "people whose citizenships do not include United States" in page
        lifecycle.withdraw(actor=act_as("lucia"), reference=REFERENCE)


def test_an_act_that_is_refused_keeps_the_reason_that_was_typed(
    sign_in: Callable[[str], Client], act_as: Any, in_force: Any
) -> None:
    client, address = sign_in("lucia"), f"/directives/{REFERENCE}/act"
    steps.new_version(act_as, rule=False)
    loosening = client.post(address, {"act": "emergency", "reason": "nobody is to be covered"})
    assert loosening.status_code == 409
    assert "would turn from deny to permit" in words(loosening)
    assert "nobody is to be covered</textarea>" in loosening.content.decode()
    assert client.post(address, {"act": "rescind", "reason": "withdrawn"}).status_code == 302
    twice = client.post(address, {"act": "suspend", "reason": "a court has stayed it"})
    assert (twice.status_code, "is open already" in words(twice)) == (409, True)
