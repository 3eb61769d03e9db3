"""The policy editor: versions, whom one would select, and a form that keeps what was typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from governance.approvals.models import ApprovalPolicy, Request
from governance.waivers import limits
from tests.web.test_approval_page import words

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Client]
EDIT = "/policies/exception/edit"
FORM = {
    "rows": "2", "name-0": "Lead", "position-0": "1", "quorum-0": "1", "groups-0": "trust-and-safety lead", "at_end-0": "wait",
    "name-1": "Executive", "position-1": "2", "quorum-1": "1", "groups-1": "executive", "at_end-1": "refuse",
    "due_hours-1": "24", "min_tier-1": "4", "note": "Counsel is asked elsewhere", "risk_tier": "4",
    "default_days": "14", "most_days": "60", "most_days_by_tier.4": "20",
}  # fmt: skip


def test_the_list_and_the_kind_show_the_version_in_force_and_whom_it_selects(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    text = words(admin.get("/policies/"))
    assert "Version 1: Trust-and-safety lead, Export-control counsel, Executive" in text
    assert "approval.policy" in text
    text = words(admin.get("/policies/exception/", {"risk_tier": "4", "risk_days": "14"}))
    assert "Came with the product" in text
    assert "Peter Osei" in text
    assert "Passed over for this risk" not in text
    assert "Passed over for this risk" in words(admin.get("/policies/exception/", {"risk_tier": "1"}))
    assert admin.get("/policies/nothing/").status_code == 404


def test_the_form_begins_with_what_is_in_force_and_previews_without_writing(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    html = admin.get(EDIT).content.decode()
    assert 'value="Export-control counsel"' in html
    shown = admin.post(EDIT, FORM | {"do": "preview"})
    assert shown.status_code == 200
    assert "Idris Vale" in words(shown)
    assert 'value="Counsel is asked elsewhere"' in shown.content.decode()
    assert not ApprovalPolicy.objects.filter(version=2).exists()


def test_stages_are_added_and_removed_and_nothing_typed_is_lost(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    more = admin.post(EDIT, FORM | {"do": "add"})
    assert [row.values.get("name", "") for row in more.context["rows"]] == ["Lead", "Executive", ""]
    fewer = admin.post(EDIT, FORM | {"do": "remove:0"})
    assert [row.values["name"] for row in fewer.context["rows"]] == ["Executive"]


def test_saving_asks_for_approval_and_the_approver_sees_both_versions_and_whom_it_selects(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    saved = admin.post(EDIT, FORM | {"do": "save"})
    asked = Request.objects.get(kind="approval.policy")
    assert saved["Location"] == f"/approvals/{asked.pk}/"
    assert admin.get(saved["Location"]).status_code == 200
    assert "A change waits for approval" in words(admin.get("/policies/"))
    peter = sign_in("peter")
    text = words(peter.get(f"/approvals/{asked.pk}/"))
    assert "What version 2 says" in text
    assert "What version 1 says, which is in force" in text
    assert "Due in 24 hours; then it is refused." in text
    assert "Counsel is asked elsewhere" in text
    done = peter.post(f"/approvals/{asked.pk}/vote", {"verdict": "approve", "seen": asked.content_digest})
    assert done.status_code == 302
    assert ApprovalPolicy.objects.get(kind="exception", active=True).version == 2
    assert "Superseded" in words(admin.get("/policies/exception/"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"quorum-0": "many"}, "Stage 1, “How many decide”: must be a whole number from 1 to 20"),
        ({"name-1": ""}, "Stage 2, “Name”: is required"),
        ({"quorum-0": "5"}, "The stage “Lead” needs 5 people"),
        ({"min_tier-0": "3"}, "would pass no stage"),
        ({"rows": "0"}, "must be from 1 to 12"),
        ({"rows": "x"}, "must be from 1 to 12"),
        ({"groups-0": "emperor"}, "there is no role emperor"),
        ({"note": "x" * 301}, "is longer than 300 characters"),
        ({"most_days": "many"}, "Days at most must be a whole number from 1 to 366"),
        ({"default_days": "61"}, "Days proposed must not be more than the most"),
        ({"most_days_by_tier.4": "90"}, "Days for a tier must not be more than the most for every tier"),
        ({"relations-0": "emperor.mother"}, "emperor.mother is none that exception offers"),
    ],
)
def test_what_is_wrong_is_named_at_its_stage_and_kept_as_typed(
    changes: dict[str, str], told: str, sign_in: SignIn
) -> None:
    response = sign_in("admin").post(EDIT, FORM | changes | {"do": "save"})
    assert response.status_code == 422
    assert told in words(response)
    if "rows" not in changes:
        name, value = next(iter(changes.items()))
        assert f'value="{value}"' in response.content.decode() or name == "groups-0"
    assert not Request.objects.filter(kind="approval.policy").exists()


def test_nobody_else_sees_or_writes_policies(sign_in: SignIn) -> None:
    for account in ("idris", "lucia", "auditor", "wei"):
        client: Any = sign_in(account)
        assert client.get("/policies/exception/").status_code == 403
        assert client.post(EDIT, FORM | {"do": "save"}).status_code == 403


def test_relations_are_chosen_by_their_description(sign_in: SignIn) -> None:
    admin = sign_in("admin")
    page = admin.get(EDIT)
    assert "A steward of a model that is asked for" in words(page)
    assert 'name="relations-0" value="model.steward"' in page.content.decode()
    assert "A steward of a model" not in words(admin.get("/policies/directive.suspension/edit"))
    assert "relation to the request" not in words(admin.get("/policies/approval.policy/edit"))
    chosen = admin.post(EDIT, FORM | {"do": "preview", "relations-0": ["model.steward", "case.counsel"]})
    assert chosen.context["rows"][0].values["relations"] == ["model.steward", "case.counsel"]
    admin.post(EDIT, FORM | {"do": "save", "relations-0": "model.steward"})
    assert ApprovalPolicy.objects.get(kind="exception", version=2).stages.get(position=1).relations == ["model.steward"]


def test_for_how_long_is_shown_beside_what_is_in_force_and_holds_once_it_is_approved(sign_in: SignIn) -> None:
    saved = sign_in("admin").post(EDIT, FORM | {"do": "save"})
    shown = words(sign_in("idris").get(saved["Location"]))
    assert "at most 60; with a capability of tier 4 or higher at most 20" in shown
    assert "at most 90; with a capability of tier 4 or higher at most 30" in shown
    assert limits.in_force().most_days == 90
    asked = Request.objects.get(kind="approval.policy")
    sign_in("idris").post(f"{saved['Location']}vote", {"verdict": "approve", "seen": asked.content_digest})
    assert limits.in_force() == limits.Limits(14, 60, ((4, 20),))
