"""Who decides on what: never what one wrote, never what covers oneself, never anything but what was asked and shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from governance.accounts.models import User
from governance.approvals import queries as approval_queries
from governance.approvals import services as approvals
from governance.directives.models import DirectiveVersion
from governance.enforcement import previews
from governance.errors import Invalid, PermissionRefused, WrongState
from governance.people.models import Person
from tests.directives.steps import (
    NARROWER,
    WIDER,
    activate,
    approved,
    ask,
    change,
    find,
    new_version,
    submit,
    vote,
)

pytestmark = pytest.mark.django_db
SIX = ["p001", "p002", "p003", "p004", "p005", "p011"]


def writers_of(version: DirectiveVersion) -> set[str]:
    return set(User.objects.filter(pk__in=version.writers).values_list("username", flat=True))


# -- writers -----------------------------------------------------------------------------------------------------------------


def test_whoever_sends_a_version_back_has_not_written_the_next_one(act_as: Any) -> None:
    change(act_as, who="idris")
    first = find().versions.get()
    submit(act_as)
    vote(act_as, verdict="reject")
    draft = find().versions.get(state="draft")
    assert (draft.author, draft.writers) == (first.author, first.writers)
    submit(act_as)
    with pytest.raises(PermissionRefused, match="You wrote it"):
        vote(act_as, "idris")
    vote(act_as)
    assert find().state == "approved"


def test_nobody_approves_their_own_text_whoever_saved_it_last(act_as: Any, in_force: Any) -> None:
    new_version(act_as, who="idris", rule=NARROWER)
    change(act_as, who="lucia")
    assert {"idris", "lucia"} <= writers_of(find().versions.get(state="draft"))
    submit(act_as, "tomas")
    with pytest.raises(PermissionRefused, match="You wrote it"):
        vote(act_as, "idris")
    vote(act_as)
    activate(act_as)
    new_version(act_as)
    assert "idris" in writers_of(find().versions.get(state="draft")), "the text he wrote is still in it"


def test_the_database_keeps_every_writer_and_takes_no_approval_from_one(act_as: Any) -> None:
    with pytest.raises(DatabaseError, match="stays its writer"), transaction.atomic():
        DirectiveVersion.objects.update(writers=[])
    change(act_as, who="idris")
    request = submit(act_as)
    version = find().versions.get()
    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
        DirectiveVersion.objects.update(writers=[*version.writers, 0])
    peter = act_as("peter")
    outcome = approvals.vote(actor=peter, request=request, verdict="approve", content_digest=request.content_digest)
    assert outcome.state == "approved"
    for match, changes in (
        ("immutable", {"submitter": peter.user}),
        ("neither wrote nor submitted", {"approval": None}),
    ):
        with pytest.raises(DatabaseError, match=match), transaction.atomic():
            DirectiveVersion.objects.filter(pk=version.pk).update(state="approved", **{"approval": request} | changes)


# -- what was asked ------------------------------------------------------------------------------------------------------------


def test_what_was_asked_of_one_version_is_not_asked_of_the_next(act_as: Any, in_force: Any) -> None:
    new_version(act_as, rule=WIDER)
    approved(act_as)
    asked = ask(act_as, "suspension")
    activate(act_as)
    asked.refresh_from_db()
    assert asked.state == "withdrawn"
    with pytest.raises(WrongState, match="No request"):
        vote(act_as, "idris")
    assert find().state == "active"


@pytest.mark.parametrize("act", ["suspension", "rescission"])
def test_a_vote_counts_only_for_the_content_that_was_asked_about(
    act: str, act_as: Any, in_force: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the request was not set aside."""
    new_version(act_as, rule=WIDER)
    approved(act_as)
    ask(act_as, act)
    with monkeypatch.context() as patched:
        patched.setattr(approvals, "set_aside", lambda **_: None)
        activate(act_as)
    with pytest.raises(WrongState, match="has changed"):
        vote(act_as, "idris")
    assert find().state == "active"


def test_nobody_approves_figures_that_have_become_others(act_as: Any) -> None:
    submit(act_as)
    before = dict(Person.objects.filter(pk__in=SIX).values_list("pk", "citizenships"))
    Person.objects.filter(pk__in=SIX).update(citizenships=["GB"])
    found = previews.difference(find().versions.get())
    assert (found.stored, found.more, found.fewer, found.stale) == (21, 6, 0, True)
    with pytest.raises(WrongState, match="stale: 6 more people and 0 fewer .* Withdraw it and submit it again"):
        vote(act_as)
    assert find().state == "submitted"
    for person, citizenships in before.items():
        Person.objects.filter(pk=person).update(citizenships=citizenships)
    vote(act_as)
    assert find().state == "approved"


def test_stale_figures_can_be_rejected(act_as: Any) -> None:
    submit(act_as)
    Person.objects.filter(pk__in=SIX).update(citizenships=["GB"])
    vote(act_as, verdict="reject")
    assert find().state == "draft"


# -- being covered ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("citizenships", [["GB"], None])
def test_whom_a_suspended_directive_covers_does_not_end_it(citizenships: Any, act_as: Any, in_force: Any) -> None:
    ask(act_as, "suspension")
    vote(act_as, "maren")
    Person.objects.filter(pk="p002").update(citizenships=citizenships)  # Idris
    ask(act_as, "rescission")
    with pytest.raises(PermissionRefused, match="covers you"):
        vote(act_as, "idris")
    vote(act_as, "maren")
    assert find().state == "rescinded"


def test_nobody_decides_for_somebody_who_came_to_be_covered_and_nobody_is_told_why(act_as: Any, in_force: Any) -> None:
    asked, moment = ask(act_as, "rescission"), timezone.now()
    tomas, peter = (User.objects.get(username=name) for name in ("tomas", "peter"))
    approvals.delegate(
        actor=act_as("peter"), to=tomas, starts_at=moment, ends_at=moment + timedelta(days=1), reason="away"
    )
    assert approval_queries.why_not(tomas, asked) is None
    Person.objects.filter(email=peter.email).update(citizenships=["FR"])
    with pytest.raises(
        PermissionRefused, match="You decide for Peter Osei, who may not decide it, and count as them"
    ) as refused:
        vote(act_as, "tomas")
    assert "cover" not in refused.value.reason
    Person.objects.filter(email=peter.email).update(citizenships=["US"])
    vote(act_as, "tomas")
    assert find().state == "rescinded"


def test_who_still_has_to_verify_is_covered_before_the_deadline_too(act_as: Any) -> None:
    change(act_as, on_unknown_then="verify", on_unknown_hours=72)
    approved(act_as)
    activate(act_as)
    Person.objects.filter(pk="p002").update(citizenships=None)
    ask(act_as, "suspension")
    with pytest.raises(PermissionRefused, match="covers you"):
        vote(act_as, "idris")


def test_who_is_covered_does_not_let_it_end_sooner_or_unknown_people_pass_longer(act_as: Any, in_force: Any) -> None:
    Person.objects.filter(pk="p002").update(citizenships=["GB"])
    for changes in (
        {"expires_at": timezone.now() + timedelta(days=1)},
        {"expires_at": None, "on_unknown_then": "allow"},
    ):
        if not find().versions.filter(state="draft").exists():
            new_version(act_as)
        change(act_as, **changes)
        submit(act_as)
        with pytest.raises(PermissionRefused, match="covers you"):
            vote(act_as, "idris")
        vote(act_as, verdict="reject")


def test_being_covered_is_kept_with_the_request_whatever_becomes_of_the_address(act_as: Any, in_force: Any) -> None:
    Person.objects.filter(pk="p002").update(citizenships=["GB"])
    asked = ask(act_as, "rescission")
    Person.objects.filter(pk="p002").update(email="somebody.else@example.com", citizenships=["US"])
    idris = User.objects.get(username="idris")
    assert asked not in approval_queries.inbox(idris)
    assert "covers you" in (approval_queries.why_not(idris, asked) or "")
    with pytest.raises(PermissionRefused, match="covers you"):
        vote(act_as, "idris")


@pytest.mark.parametrize("act", ["suspension", "rescission"])
def test_a_request_that_no_approver_could_decide_is_refused_when_it_is_asked(
    act: str, act_as: Any, in_force: Any
) -> None:
    Person.objects.filter(pk__in=["p001", "p002", "p006"]).update(citizenships=["GB"])
    with pytest.raises(Invalid, match="Nobody could decide"):
        ask(act_as, act)
    assert not find().versions.exclude(state="in_force").exists()


def test_a_narrower_version_that_no_approver_could_decide_is_refused_at_submission(act_as: Any, in_force: Any) -> None:
    Person.objects.filter(pk__in=["p001", "p002", "p006"]).update(citizenships=["GB"])
    new_version(act_as)
    change(act_as, rule=NARROWER)
    with pytest.raises(Invalid, match="Nobody could decide"):
        submit(act_as)
