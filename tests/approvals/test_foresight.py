"""What is foreseen of a request is what it then passes, and a stage that nobody could fill is said before."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from governance.accounts.models import User
from governance.accounts.services import deactivate, set_roles
from governance.approvals.foresight import Foreseen, foresee
from governance.approvals.models import RequestStage
from governance.approvals.queries import eligible
from governance.approvals.services import Risk
from governance.errors import Invalid
from tests.waivers.test_exceptions import file

pytestmark = pytest.mark.django_db


def ahead(tier: int, days: int, person: str = "p009", requester: str = "hana") -> list[Foreseen]:
    user = User.objects.get(username=requester)
    return foresee(kind="exception", risk=Risk(tier=tier, days=days), requester=user, about=[person])


@pytest.mark.parametrize(
    ("item", "tier", "days"),
    [
        (("fable-5", "use"), 1, 30),
        (("mythos-5", "vulnerability-discovery"), 4, 8),
        (("mythos-5", "vulnerability-discovery"), 4, 7),
    ],
)
def test_what_is_foreseen_comes(item: tuple[str, str], tier: int, days: int, act_as: Any, in_force: Any) -> None:
    foreseen = ahead(tier, days)
    request = file(act_as("hana"), items=[item], days=days)
    stages = list(RequestStage.objects.filter(request__subject=request.subject).order_by("position"))
    assert [one.stage.name for one in foreseen] == [stage.name for stage in stages]
    assert [{user.pk for user in one.people} for one in foreseen] == [
        set(eligible(stage).values_list("pk", flat=True)) for stage in stages
    ]
    assert all(one.fillable for one in foreseen)


def test_the_requester_and_whom_it_is_about_are_left_out(in_force: Any) -> None:
    assert [str(user) for user in ahead(4, 8)[-1].people] == [str(User.objects.get(username="maren"))]
    assert not ahead(4, 8, person="p001")[-1].people
    assert not ahead(4, 8, requester="maren")[-1].people


def test_an_administrator_with_the_role_is_left_out_as_nobody_who_gives_roles_decides(in_force: Any) -> None:
    User.objects.get(username="maren").groups.add(Group.objects.get(name="administrator"))
    (*_, last) = ahead(4, 8)
    assert (last.people, last.fillable) == ([], False)


def test_a_stage_that_nobody_could_fill_is_said_before_it_is_refused(act_as: Any, in_force: Any) -> None:
    deactivate(actor=act_as("admin"), username="peter")
    assert [one.fillable for one in ahead(1, 10)] == [True, False]
    with pytest.raises(Invalid, match="Export-control counsel"):
        file(act_as("hana"))


def test_one_person_in_two_stages_fills_one(act_as: Any, in_force: Any) -> None:
    deactivate(actor=act_as("admin"), username="peter")
    set_roles(actor=act_as("admin"), username="idris", roles=["trust-and-safety lead", "export-control counsel"])
    assert [one.fillable for one in ahead(1, 10)] == [True, False]
    with pytest.raises(Invalid, match="Export-control counsel"):
        file(act_as("hana"))


def test_it_costs_the_same_however_many_people_it_is_about(in_force: Any) -> None:
    user = User.objects.get(username="hana")
    with CaptureQueriesContext(
        connection,
    ) as few:
        foresee(kind="exception", risk=Risk(4, 8), requester=user, about=["p009"])
    with CaptureQueriesContext(connection) as many:
        foresee(kind="exception", risk=Risk(4, 8), requester=user, about=["p009", "p010", "p012", "p008"])
    assert len(few) == len(many) <= 6
