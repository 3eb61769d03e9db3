"""Changing an open exception: decisions become void, and raw SQL changes nothing without that."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from governance.approvals.models import Request, Vote
from governance.enforcement.decision import decide
from governance.enforcement.services.exceptions import edit_exception
from governance.errors import Invalid, PermissionRefused, WrongState
from governance.ledger.models import Entry
from governance.people.models import Person
from governance.waivers.models import ExceptionRequest, Waiver
from governance.waivers.services import decide_exception
from tests.conftest import put_in_force
from tests.races import at_once
from tests.waivers.test_exceptions import approve, file
from tests.waivers.test_guards import item, refused

pytestmark = pytest.mark.django_db
CAPABILITIES = "waivers_exceptionrequest_model_capabilities"


def edit(actor: Any, request: ExceptionRequest, **changes: Any) -> int:
    values: dict[str, Any] = {"items": [("fable-5", "use")], "days": 10, "reason": "weekly evaluation"} | changes
    return edit_exception(actor=actor, exception_id=request.pk, **values)


def asked(request: ExceptionRequest) -> Request:
    return Request.objects.get(subject=request.subject)


def test_an_edit_makes_decisions_void_and_the_stages_begin_again(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    wanted = [("fable-5", "code-review"), ("mythos-5", "use")]
    assert edit(act_as("hana"), request, items=wanted, days=12, reason="nightly") == 1
    request.refresh_from_db()
    assert (request.days, request.reason, request.revision, asked(request).revision) == (12, "nightly", 2, 2)
    assert sorted(str(one) for one in request.model_capabilities.all()) == sorted(
        str(item(model, capability)) for model, capability in wanted
    )
    assert asked(request).content_digest == request.digest
    assert "12 days" in asked(request).summary
    approve(act_as, request, "idris", "peter")
    assert decide("p009", "fable-5", "code-review").code == "waiver"
    assert not decide("p009", "fable-5", "use").permit
    entry = Entry.objects.get(action="exception.edited")
    assert '"void":1' in entry.record
    assert "nightly" not in entry.record


def test_an_edit_to_a_higher_tier_passes_the_stage_that_this_needs(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"), days=6)
    edit(act_as("hana"), request, items=[("mythos-5", "vulnerability-discovery")], days=9)
    names = [stage.name for stage in asked(request).stages.filter(revision=2)]
    assert names[-1] == "Executive"


def test_only_the_filer_changes_it_and_only_while_it_is_open(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    for name in ("maren", "lucia", "wei", "idris"):
        with pytest.raises(PermissionRefused):
            edit(act_as(name), request, days=3)
    approve(act_as, request, "idris", "peter")
    with pytest.raises(WrongState, match="closed"):
        edit(act_as("hana"), request, days=3)


def test_a_filer_who_is_no_manager_any_more_changes_nothing(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    Person.objects.filter(pk="p009").update(manager_id="p013")
    with pytest.raises(PermissionRefused):
        edit(act_as("hana"), request, days=3)


def test_nothing_changed_leaves_the_decisions(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    with pytest.raises(WrongState, match="Nothing was changed"):
        edit(act_as("hana"), request)
    approve(act_as, request, "peter")
    assert Waiver.objects.exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"days": 91}, "from 1 to 90"), ({"reason": " "}, "reason"), ({"items": []}, "at least one"), ({"licence": "X"}, "no licence")],
)  # fmt: skip
def test_an_edit_is_judged_as_a_filing_is(changes: dict[str, Any], reason: str, act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    with pytest.raises(Invalid, match=reason):
        edit(act_as("hana"), request, **changes)
    request.refresh_from_db()
    assert (
        request.revision,
        asked(request).revision,
        Vote.objects.filter(revision=1, request__subject=request.subject).count(),
    ) == (1, 1, 1)


def test_an_edit_does_not_reach_into_another_open_request(act_as: Any, in_force: Any) -> None:
    first = file(act_as("hana"))
    second = file(act_as("hana"), items=[("fable-5", "code-review")])
    with pytest.raises(WrongState, match=f"Exception {first.pk}"):
        edit(act_as("hana"), second)


def test_raw_sql_changes_nothing_without_a_new_revision(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    for change in (
        "days = 90", "days = 90, digest = repeat('0', 64)", "days = 90, revision = 2",
        "days = 90, revision = 2, digest = repeat('0', 64)", "licence_id = NULL, revision = 2, digest = repeat('0', 64)",
    ):  # fmt: skip
        refused(f"UPDATE waivers_exceptionrequest SET {change} WHERE id = %s", request.pk)


def test_after_a_decision_on_the_new_revision_raw_sql_changes_nothing_either(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    edit(act_as("hana"), request, days=11)
    approve(act_as, request, "idris")
    refused("UPDATE waivers_exceptionrequest SET days = 90, revision = 3, digest = repeat('0', 64)")
    refused(
        f"INSERT INTO {CAPABILITIES} (exceptionrequest_id, modelcapability_id) VALUES (%s, %s)", request.pk, item().pk
    )
    refused(f"DELETE FROM {CAPABILITIES}")


def test_a_revision_made_by_raw_sql_gives_nobody_what_was_not_decided(act_as: Any, in_force: Any) -> None:
    """Whoever moves the approval ahead and changes what is asked for has made every decision void by that."""
    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE approvals_request SET revision = 2, content_digest = repeat('0', 64) WHERE subject = %s",
            [request.subject],
        )
        cursor.execute(
            f"INSERT INTO {CAPABILITIES} (exceptionrequest_id, modelcapability_id) VALUES (%s, %s)",
            [request.pk, item().pk],
        )
        cursor.execute("UPDATE waivers_exceptionrequest SET days = 90, revision = 2, digest = repeat('0', 64)")
    refused("UPDATE waivers_exceptionrequest SET state = 'approved'")
    with pytest.raises(WrongState, match="not what was filed"):
        decide_exception(actor=act_as("peter"), exception_id=request.pk, verdict="approve")
    with pytest.raises(DatabaseError), transaction.atomic():
        Request.objects.filter(subject=request.subject).update(state="approved")
    assert not Waiver.objects.exists()


def test_an_edit_against_an_approval_has_one_winner(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    hana, peter = act_as("hana"), act_as("peter")
    results = at_once(
        lambda: edit(hana, request, days=90),
        lambda: decide_exception(actor=peter, exception_id=request.pk, verdict="approve"),
    )
    request.refresh_from_db()
    if Waiver.objects.exists():
        assert (request.days, request.state) == (10, "approved")
        assert isinstance(results[0], WrongState)
    else:  # the edit came first: counsel's turn has not come in the stages that began again
        assert (request.days, request.state, request.revision) == (90, "open", 2)
