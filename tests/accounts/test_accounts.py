"""Accounts, tokens and commands on behalf of somebody."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from governance.accounts import services
from governance.accounts.models import ApiToken, User
from governance.errors import Invalid, NotFound, PermissionRefused
from governance.ledger.models import Entry
from tests.conftest import PASSWORD, REFERENCE
from tests.races import at_once

pytestmark = pytest.mark.django_db


def create(actor: Any, **changes: Any) -> User:
    values = {
        "username": "sam", "email": "sam@example.com", "full_name": "Sam Poe", "roles": ["operator"],
        "password": "a long enough password",
    } | changes  # fmt: skip
    return services.create_account(actor=actor, **values)


def test_an_account_has_the_rights_of_its_roles_and_no_others(machine: Any) -> None:
    user = create(machine)
    assert user.has_right("activate_directives")
    assert not user.has_right("administer")
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    assert not User.objects.get(pk=user.pk).has_right("administer")


@pytest.mark.parametrize(
    "changes",
    [
        {"username": "lucia"},
        {"email": "LUCIA.PRADO@example.com"},
        {"roles": ["king"]},
        {"password": "short"},
        {"email": "no"},
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], machine: Any) -> None:
    with pytest.raises(Invalid):
        create(machine, **changes)


def test_only_administrators_create_accounts_and_tokens(act_as: Any) -> None:
    with pytest.raises(PermissionRefused):
        create(act_as("lucia"))
    with pytest.raises(PermissionRefused):
        services.create_token(actor=act_as("lucia"), name="x", scopes=["decide"])
    create(act_as("admin"))


def test_a_token_is_printed_once_and_stored_hashed() -> None:
    out = io.StringIO()
    call_command("create_token", "gateway", "--scope", "decide", "--scope", "explain", stdout=out)
    plain = out.getvalue().strip()
    token = ApiToken.objects.get()
    assert plain not in (token.digest, token.name)
    assert token.digest == services.digest_token(plain)
    assert token.scopes == ["decide", "explain"]
    assert plain not in "".join(Entry.objects.values_list("record", flat=True))


def test_a_command_acts_with_exactly_that_accounts_rights(
    machine: Any, tmp_path: Path, monkeypatch: Any, settings: Any
) -> None:
    settings.AXES_ENABLED = True  # as in production
    with pytest.raises(SystemExit):
        call_command("directive", "submit", REFERENCE, "--as", "wei", stdout=io.StringIO())
    create(machine)
    with pytest.raises(SystemExit):
        call_command("directive", "submit", REFERENCE, "--as", "sam", stdout=io.StringIO())
    secret = tmp_path / "password"
    secret.write_text("a long enough password\n")
    monkeypatch.setenv("AS_PASSWORD_FILE", str(secret))
    call_command("directive", "submit", REFERENCE, "--as", "sam", stdout=io.StringIO())
    entry = Entry.objects.get(action="directive.submitted")
    assert entry.actor == "sam"
    assert '"via":"cli:' in entry.record


def test_signing_in_out_and_changing_the_password() -> None:
    client = Client()
    assert client.post("/sign-in", {"username": "wei", "password": "wrong"}).status_code == 200
    assert client.post("/sign-in", {"username": "wei", "password": PASSWORD})["Location"] == "/"
    new = "an even longer password"
    wrong = client.post("/password", {"old": "no", "new": new, "again": new})
    assert wrong.status_code == 422
    assert client.post("/password", {"old": PASSWORD, "new": new, "again": new}).status_code == 302
    assert client.get("/my-access").status_code == 200, "this session stays"
    assert client.get("/sign-out").status_code == 405, "a link cannot sign anybody out"
    client.post("/sign-out")
    assert client.get("/my-access").status_code == 302
    assert Client().post("/sign-in", {"username": "wei", "password": new})["Location"] == "/"


def test_guessing_a_password_locks_the_account_for_that_address_and_for_no_other(settings: Any) -> None:
    settings.AXES_ENABLED = True
    guesser, owner = Client(REMOTE_ADDR="192.0.2.1"), Client(REMOTE_ADDR="192.0.2.2")
    for _ in range(settings.AXES_FAILURE_LIMIT):
        last = guesser.post("/sign-in", {"username": "wei", "password": "wrong"})
    assert last.status_code == 429
    assert guesser.post("/sign-in", {"username": "wei", "password": PASSWORD}).status_code == 429
    assert owner.post("/sign-in", {"username": "wei", "password": PASSWORD})["Location"] == "/"


def test_a_deactivated_account_is_out_at_once(machine: Any) -> None:
    client = Client()
    client.post("/sign-in", {"username": "wei", "password": PASSWORD})
    services.deactivate(actor=machine, username="wei")
    assert client.get("/my-access").status_code == 302


def test_roles_are_changed_as_a_whole_and_recorded(machine: Any, act_as: Any) -> None:
    services.set_roles(actor=machine, username="tomas", roles=["auditor"])
    assert User.objects.get(username="tomas").roles() == {"auditor"}
    record = Entry.objects.get(action="account.roles_changed").record
    assert '"before":["operator"]' in record
    for actor, changes, refusal in (
        (machine, {"roles": ["king"]}, Invalid),
        (machine, {"username": "nobody"}, NotFound),
        (act_as("lucia"), {}, PermissionRefused),
    ):
        with pytest.raises(refusal):
            services.set_roles(actor=actor, **({"username": "tomas", "roles": ["legal"]} | changes))


@pytest.mark.parametrize("what", ["account", "address", "token"])
def test_two_who_take_one_name_at_once_have_one_winner_and_a_reason(
    what: str, committed: None, machine: Any, monkeypatch: Any
) -> None:
    """Both looked before either wrote: what the database refuses is told in words."""
    looked = threading.Barrier(2)
    for name in ("validate_password", "digest_token"):
        real = getattr(services, name)

        def waiting(*args: Any, _real: Any = real) -> Any:
            looked.wait(10)
            return _real(*args)

        monkeypatch.setattr(services, name, waiting)
    if what == "token":
        acts = [lambda: services.create_token(actor=machine, name="gateway", scopes=["decide"])] * 2
    else:
        second = {"email": "other@example.com"} if what == "account" else {"username": "other"}
        acts = [lambda: create(machine), lambda: create(machine, **second)]
    results = at_once(*acts)
    (refused,) = [result for result in results if isinstance(result, Exception)]
    assert isinstance(refused, Invalid)
    assert "taken" in refused.reason
    assert Entry.objects.filter(action="token.created" if what == "token" else "account.created").last() is not None
    assert ApiToken.objects.count() + User.objects.filter(full_name="Sam Poe").count() == 1
