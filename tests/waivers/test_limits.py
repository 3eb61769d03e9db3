"""For how long an exception may ask: part of the approval policy, and the same through every door."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client

from governance.approvals.models import ApprovalPolicy, Request
from governance.approvals.services import decide_policy
from governance.enforcement.services import policies
from governance.enforcement.services.waivers import renew_waiver
from governance.errors import Invalid, PermissionRefused
from governance.waivers import conditions, limits
from governance.waivers.limits import Limits
from governance.waivers.models import ExceptionRequest, Waiver
from tests.conftest import REFERENCE
from tests.waivers.test_editing import edit
from tests.waivers.test_exceptions import approve, file

pytestmark = pytest.mark.django_db
STAGE = {"name": "Lead", "position": 1, "groups": ["trust-and-safety lead"]}
TERMS = {"default_days": 5, "most_days": 12, "most_days_by_tier": {"4": 6}}
DISCOVERY = [("mythos-5", "vulnerability-discovery")]


def propose(act_as: Any, kind: str = "exception", **changes: Any) -> Request:
    return policies.propose(actor=act_as("admin"), kind=kind, stages=[STAGE], **{"terms": TERMS} | changes)


def put(act_as: Any, **changes: Any) -> None:
    asked = propose(act_as, **changes)
    version = int(asked.subject.rpartition(":")[2])
    decide_policy(actor=act_as("idris"), kind="exception", version=version, verdict="approve")


def test_the_product_begins_with_14_90_and_30_for_tier_4(db: None) -> None:
    assert limits.in_force() == Limits(14, 90, ((4, 30),))
    assert [limits.in_force().of_tier(tier) for tier in (1, 3, 4, 5)] == [90, 90, 30, 30]


def test_a_change_holds_when_a_second_person_approved_it(act_as: Any, in_force: Any) -> None:
    asked = propose(act_as)
    file(act_as("hana"), days=13)
    with pytest.raises(PermissionRefused):
        decide_policy(actor=act_as("admin"), kind="exception", version=2, verdict="approve")
    decide_policy(
        actor=act_as("idris"), kind="exception", version=2, verdict="approve", seen=asked.content_digest
    )  # fmt: skip
    assert limits.in_force() == Limits(5, 12, ((4, 6),))
    with pytest.raises(Invalid, match="from 1 to 12"):
        file(act_as("hana"), "p010", days=13)
    with pytest.raises(Invalid, match="from 1 to 6 for a capability of tier 4"):
        file(act_as("hana"), "p010", items=DISCOVERY, days=7)
    file(act_as("hana"), "p010", items=DISCOVERY, days=6)


def test_a_new_version_without_a_word_about_it_keeps_what_was_in_force(act_as: Any) -> None:
    put(act_as)
    put(act_as, terms=None)
    assert limits.in_force().most_days == 12
    assert ApprovalPolicy.objects.get(kind="exception", active=True).version == 3


def test_what_was_asked_for_keeps_to_the_limits_of_the_day_it_is_decided(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"), days=40)
    put(act_as)
    approve(act_as, request, "idris")
    request.refresh_from_db()
    assert request.state == "lapsed"
    assert "By now the limit is 12 days" in request.close_reason
    assert not Waiver.objects.exists()


def test_a_renewal_asks_for_no_longer_than_the_limit(act_as: Any, in_force: Any) -> None:
    approve(act_as, file(act_as("hana"), days=40), "idris", "peter")
    put(act_as)
    assert renew_waiver(actor=act_as("hana"), waiver_id=Waiver.objects.get().pk).days == 12


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({}, "most_days"), ({"most_days": 0}, "most_days"), ({"most_days": 367}, "most_days"), ({"most_days": True}, "most_days"),
        ({"most_days": "9"}, "most_days"), ({"default_days": 13}, "default_days"), ({"most_days_by_tier": {"4": 13}}, "most_days_by_tier"),
        ({"most_days_by_tier": {"x": 3}}, "most_days_by_tier"), ({"most_days_by_tier": {"4": 0}}, "most_days_by_tier.4"),
        ({"most_days_by_tier": [4]}, "most_days_by_tier"), ({"most_days_by_tier": {"0": 3}}, "most_days_by_tier"),
    ],
)  # fmt: skip
def test_limits_that_make_no_sense_are_refused(terms: dict[str, Any], field: str, act_as: Any) -> None:
    with pytest.raises(Invalid) as refused:
        propose(act_as, terms=TERMS | terms if terms else {})
    assert field in [name for name, _ in refused.value.errors]
    assert not ApprovalPolicy.objects.filter(version=2).exists()


def test_only_exceptions_have_limits(act_as: Any) -> None:
    with pytest.raises(Invalid, match="has no limits"):
        propose(act_as, kind="directive.suspension")


def test_the_database_keeps_what_a_version_says(act_as: Any) -> None:
    with pytest.raises(DatabaseError, match="does not change"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE approvals_approvalpolicy SET terms = '{\"most_days\": 366}' WHERE kind = 'exception'")


def test_the_page_and_the_command_read_the_same_limits(act_as: Any, sign_in: Any, in_force: Any, capsys: Any) -> None:
    put(act_as)
    hana: Client = sign_in("hana")
    page = hana.get(f"/exceptions/new?person=p009&directive={REFERENCE}").content.decode()
    assert 'name="days" inputmode="numeric" value="5"' in page
    assert "At most 12; with a capability of tier 4 or higher at most 6." in page
    form = {
        "directive": REFERENCE, "person": "p009", "item": "fable-5/use", "days": "13", "reason": "x",
        "mitigation": "none",
    }  # fmt: skip
    assert "The number of days must be from 1 to 12" in hana.post("/exceptions/new", form).content.decode()
    with pytest.raises(SystemExit):
        call_command(
            "exception", "file", "--directive", REFERENCE, "--person", "p009", "--model", "fable-5", "--capability",
            "use", "--days", "13", "--reason", "x", "--as", "hana",
        )  # fmt: skip
    assert "must be from 1 to 12" in capsys.readouterr().err


# -- conditions of the filer's own -------------------------------------------------------------------------------------


def test_the_filer_adds_conditions_by_the_form_and_changes_them_by_an_edit(
    sign_in: Any, act_as: Any, in_force: Any
) -> None:
    hana: Client = sign_in("hana")
    form = {
        "directive": REFERENCE, "person": "p009", "item": "fable-5/use", "days": "5", "reason": "x",
        "mitigation": "supervised", "conditions": "Only on Tuesdays.",
    }  # fmt: skip
    hana.post("/exceptions/new", form)
    request = ExceptionRequest.objects.get()
    assert conditions.of(request) == ["A colleague sits beside you in each session.", "Only on Tuesdays."]
    where = f"/exceptions/{request.pk}/edit"
    assert "Only on Tuesdays." in hana.get(where).content.decode()
    refused = hana.post(where, form | {"conditions": "x" * 1001})
    assert refused.status_code == 422
    assert "The conditions: is longer than 1000 characters" in refused.content.decode()
    hana.post(where, form | {"conditions": "Only on Fridays."})
    request.refresh_from_db()
    assert (request.conditions, request.revision) == ("Only on Fridays.", 2)
    assert edit(act_as("hana"), request, conditions="") == 0
    request.refresh_from_db()
    assert request.conditions == ""


def test_conditions_are_kept_in_drafts_and_part_of_what_is_decided_on(sign_in: Any, act_as: Any, in_force: Any) -> None:
    from uuid import uuid4

    key, hana = uuid4(), sign_in("hana")
    form = {
        "directive": REFERENCE, "person": "p009", "item": "fable-5/use", "days": "5", "reason": "x",
        "mitigation": "supervised", "conditions": "Only on Tuesdays.", "draft": str(key),
    }  # fmt: skip
    hana.post("/exceptions/drafts/save", form)
    assert "Only on Tuesdays." in hana.get(f"/exceptions/new?draft={key}").content.decode()
    plain, with_words = file(act_as("hana"), "p010"), file(act_as("hana"), "p012", conditions="Only on Tuesdays.")
    assert plain.digest != with_words.digest
