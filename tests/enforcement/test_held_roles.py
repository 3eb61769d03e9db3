"""Roles by which something could be loosened are given by two people while a directive is in force; taking one acts at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.test import Client

from governance.accounts import objects
from governance.accounts import services as accounts
from governance.accounts.models import User
from governance.accounts.object_services import give
from governance.accounts.rights import ROLES
from governance.catalog.models import AIModel
from governance.enforcement.models import HeldChange, HeldChangeVerdict
from governance.enforcement.services import lifecycle, policies, roles
from governance.enforcement.services.held import decide
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.ledger.models import Entry
from tests.conftest import PASSWORD, REFERENCE, put_in_force
from tests.races import at_once

pytestmark = pytest.mark.django_db


def now(name: str) -> list[str]:
    return sorted(User.objects.get(username=name).roles())


def set_roles(actor: Any, *given: str, username: str = "hana") -> roles.Given:
    return roles.set_roles(actor=actor, username=username, roles=given)


def answer(actor: Any, verdict: str = "confirm", username: str = "hana") -> None:
    seen = HeldChange.objects.get(what="roles", key=username).proposed_at.isoformat()
    decide(actor=actor, what="roles", key=username, verdict=verdict, seen=seen)


def second_admin() -> None:
    User.objects.get(username="jonas").groups.set(User.objects.get(username="admin").groups.all())


@pytest.mark.parametrize("role", sorted(ROLES))
def test_while_a_directive_is_in_force_all_but_those_who_only_read_wait(role: str, act_as: Any, in_force: Any) -> None:
    given = set_roles(act_as("admin"), role)
    waits = role != "auditor"
    assert given.held == ([role] if waits else [])
    assert now("hana") == ([] if waits else [role])


def test_without_one_in_force_roles_are_given_at_once(act_as: Any) -> None:
    assert set_roles(act_as("admin"), "operator").held == []
    assert now("hana") == ["operator"]


def test_a_role_that_is_steward_of_a_model_waits_too(act_as: Any, machine: Any, in_force: Any) -> None:
    give(actor=machine, permission=objects.STEWARD, thing=AIModel.objects.get(slug="fable-5"), role="auditor")
    assert set_roles(act_as("admin"), "auditor").held == ["auditor"]


def test_what_is_taken_away_goes_at_once_though_something_waits(act_as: Any, in_force: Any) -> None:
    given = set_roles(act_as("admin"), "operator", "auditor", username="anjali")
    assert (given.roles, given.held) == (["auditor"], ["operator"])
    assert now("anjali") == ["auditor"]


@pytest.mark.parametrize("name", ["idris", "peter", "teo", "jonas"])
def test_a_second_person_confirms_be_it_another_administrator(name: str, act_as: Any, in_force: Any) -> None:
    second_admin()
    set_roles(act_as("admin"), "operator")
    with pytest.raises(PermissionRefused):
        lifecycle.ask(actor=act_as("hana"), reference=REFERENCE, act="suspension", reason="court")
    answer(act_as(name))
    assert now("hana") == ["operator"]
    entries = (
        Entry.objects.filter(subject="account:hana")
        .exclude(action="account.created")
        .order_by("pk")
        .values_list("action", "actor")
    )
    assert list(entries) == [
        ("held_change.proposed", "admin"), ("account.roles_changed", name), ("held_change.confirmed", name),
    ]  # fmt: skip
    assert not HeldChange.objects.exists()


def test_who_proposed_it_who_gets_it_and_who_has_no_right_does_not_decide(act_as: Any, in_force: Any) -> None:
    set_roles(act_as("admin"), "people operations", "executive", username="teo")
    with pytest.raises(PermissionRefused, match="about you"):
        answer(act_as("teo"), username="teo")
    for name in ("admin", "lucia", "maren", "auditor", "hana"):
        with pytest.raises(PermissionRefused):
            answer(act_as(name), username="teo")
    held = HeldChange.objects.get()
    for name in ("admin", "teo", "lucia", "maren"):
        with pytest.raises(DatabaseError), transaction.atomic():
            HeldChangeVerdict.objects.create(
                change=held.pk, what="roles", key="teo", confirmed=True, proposed_by="admin",
                proposed_at=held.proposed_at, decided_by=User.objects.get(username=name),
            )  # fmt: skip
    with pytest.raises(NotFound):
        decide(actor=act_as("peter"), what="roles", key="nobody", verdict="confirm", seen="")
    answer(act_as("peter"), "refuse", "teo")
    assert now("teo") == ["people operations"]


def test_an_administrator_decides_about_roles_and_about_nothing_else_that_is_held(act_as: Any, in_force: Any) -> None:
    HeldChange.objects.create(what="tier", key="x", before={}, proposed={"tier": 1}, proposed_by="cli:test")
    with pytest.raises(PermissionRefused):
        decide(actor=act_as("admin"), what="tier", key="x", verdict="refuse", seen="")


def test_an_account_that_changed_since_is_not_confirmed(act_as: Any, machine: Any, in_force: Any) -> None:
    set_roles(act_as("admin"), "auditor", "executive")
    with pytest.raises(WrongState, match="held already"):
        set_roles(act_as("admin"), "operator")
    set_roles(act_as("admin"))
    with pytest.raises(WrongState, match="has changed since"):
        answer(act_as("peter"))
    answer(act_as("peter"), "refuse")
    set_roles(act_as("admin"), "executive")
    accounts.deactivate(actor=machine, username="hana")
    with pytest.raises(WrongState, match="has changed since"):
        answer(act_as("peter"))


def test_nobody_gives_themselves_a_role_and_only_administrators_give_any(act_as: Any, in_force: Any) -> None:
    for name, username in (("admin", "admin"), ("idris", "hana"), ("lucia", "hana")):
        with pytest.raises(PermissionRefused):
            set_roles(act_as(name), "operator", username=username)
    with pytest.raises(Invalid):
        set_roles(act_as("admin"), "king")
    with pytest.raises(NotFound):
        set_roles(act_as("admin"), "operator", username="nobody")
    assert not HeldChange.objects.exists()


def test_two_who_confirm_at_once_have_one_winner(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    set_roles(act_as("admin"), "operator")
    seen = HeldChange.objects.get().proposed_at.isoformat()
    actors = [act_as(name) for name in ("peter", "teo", "idris")]
    results = at_once(
        *[
            lambda actor=actor: decide(actor=actor, what="roles", key="hana", verdict="confirm", seen=seen)
            for actor in actors
        ]
    )
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "NotFound", "NotFound"]
    assert Entry.objects.filter(action="account.roles_changed", subject="account:hana").count() == 1


def test_a_confirmation_and_a_second_proposal_at_once_have_an_order(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    admin, peter = act_as("admin"), act_as("peter")
    set_roles(admin, "operator")
    seen = HeldChange.objects.get().proposed_at.isoformat()
    confirmed, proposed = at_once(
        lambda: decide(actor=peter, what="roles", key="hana", verdict="confirm", seen=seen),
        lambda: set_roles(admin, "operator", "executive"),
    )
    assert confirmed is None
    assert now("hana") == ["operator"]
    if isinstance(proposed, roles.Given):
        assert HeldChange.objects.get().proposed == {"roles": ["executive", "operator"]}
    else:
        assert isinstance(proposed, WrongState)


def test_two_who_decide_about_one_another_at_once_do_not_block(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    for name in ("peter", "idris"):
        set_roles(act_as("admin"), *now(name), "executive", username=name)
    pairs = [(act_as("peter"), "idris"), (act_as("idris"), "peter")]
    results = at_once(*[lambda actor=actor, name=name: answer(actor, username=name) for actor, name in pairs])
    assert results == [None, None]


# -- commands and pages ------------------------------------------------------------------------------------------------


def test_commands_say_what_waits(in_force: Any, capsys: Any, tmp_path: Path, monkeypatch: Any) -> None:
    password = tmp_path / "p"
    password.write_text(PASSWORD)
    monkeypatch.setenv("PASSWORD_FILE", str(password))
    call_command("create_account", "sam", "--email", "sam@example.com", "--role", "operator", "--role", "auditor")
    assert "What waits for a second person: operator." in capsys.readouterr().out
    assert now("sam") == ["auditor"]
    call_command("set_roles", "hana", "--role", "auditor")
    assert capsys.readouterr().out == "hana has auditor.\n"
    call_command("set_roles", "hana", "--role", "executive")
    assert capsys.readouterr().out == "hana has no role.\nWhat waits for a second person: executive.\n"
    call_command("set_roles", "tomas")
    assert now("tomas") == []
    assert HeldChange.objects.filter(proposed_by__startswith="cli:").count() == 2


def test_administrators_give_roles_on_the_page_of_an_account(in_force: Any, sign_in: Callable[[str], Client]) -> None:
    admin = sign_in("admin")
    page = admin.get("/rights/accounts/hana/").content.decode()
    assert 'value="operator"' in page
    assert "Save the roles" not in admin.get("/rights/accounts/admin/").content.decode()
    assert "Save the roles" not in sign_in("auditor").get("/rights/accounts/hana/").content.decode()
    assert sign_in("auditor").post("/rights/accounts/hana/roles", {"role": "operator"}).status_code == 403
    assert admin.post("/rights/accounts/nobody/roles", {"role": "operator"}).status_code == 404
    assert admin.post("/rights/accounts/admin/roles", {"role": "operator"}).status_code == 403
    assert admin.post("/rights/accounts/hana/roles", {"role": "king"}).status_code == 422
    shown = admin.post("/rights/accounts/hana/roles", {"role": ["operator", "auditor"]}, follow=True).content.decode()
    assert "Held for a second person: operator" in shown
    assert "Roles wait for a second person" in shown
    again = admin.post("/rights/accounts/hana/roles", {"role": ["executive"]})
    assert again.status_code == 409
    assert 'value="executive" checked' in again.content.decode()
    assert now("hana") == ["auditor"]


def test_the_list_shows_the_rights_gained_and_decides(
    in_force: Any, sign_in: Callable[[str], Client], act_as: Any
) -> None:
    set_roles(act_as("admin"), "executive")
    for name in ("peter", "admin"):
        shown = sign_in(name).get("/held/?of=roles").content.decode()
        for words in (
            "Proposed: executive", "Name somebody for a stage of an approval",
            "Decide in the stages of approvals that name the role executive",
        ):  # fmt: skip
            assert words in shown
    assert "You proposed it" in shown
    assert sign_in("hana").get("/held/?of=roles").status_code == 403
    assert sign_in("admin").get("/held/?of=catalog").status_code == 403
    sent = {
        "what": "roles",
        "key": "hana",
        "verdict": "confirm",
        "seen": HeldChange.objects.get().proposed_at.isoformat(),
    }
    assert sign_in("admin").post("/held/decide", sent).status_code == 403
    assert sign_in("peter").post("/held/decide", sent)["Location"] == "/held/?of=roles"
    assert now("hana") == ["executive"]


def test_policies_that_wait_are_on_the_list(in_force: Any, sign_in: Callable[[str], Client], act_as: Any) -> None:
    policies.propose(
        actor=act_as("admin"), kind="exception",
        stages=[{"name": "Lead", "position": 1, "groups": ["trust-and-safety lead"]}],
    )  # fmt: skip
    shown = sign_in("peter").get("/held/?of=policies").content.decode()
    assert "Administrator" in shown
    assert "/approvals/" in shown.split("<main")[1]
    assert "Nothing waits" not in shown
