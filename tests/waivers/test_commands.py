"""The life of exceptions, delegations, held changes and tokens by commands: the pages' rules, one JSON document, statuses 0, 1, 2."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from governance.accounts.models import PersonalToken
from governance.enforcement.decision import decide
from governance.enforcement.services.people import import_people
from governance.ledger.models import Entry
from governance.people.models import HeldPerson
from governance.waivers.models import ExceptionDraft, ExceptionRequest, Waiver
from tests.conftest import REFERENCE
from tests.directives.test_commands import refused, run
from tests.people.test_loosening import people_file

pytestmark = pytest.mark.django_db
ASKS = [
    "--directive", REFERENCE, "--model", "fable-5", "--capability", "use", "--days", "7", "--reason", "evaluation",
    "--mitigation", "supervised",
]  # fmt: skip


def told(*arguments: str) -> Any:
    """The one JSON document that a command prints."""
    (line,) = run(*arguments, "--json").splitlines()
    return json.loads(line)


def approved() -> str:
    number = str(
        told("exception", "file", *ASKS, "--person", "p009", "--conditions", "Only on Tuesdays.", "--as", "hana")["id"]
    )
    for name in ("idris", "peter"):
        run("exception", "approve", number, "--as", name)
    return number


def test_conditions_are_read_accepted_renewed_and_revoked(in_force: Any) -> None:
    number = approved()
    shown = told("exception", "show", number, "--as", "wei")
    assert shown["conditions"] == ["A colleague sits beside you in each session.", "Only on Tuesdays."]
    assert shown["reason"] is None
    assert "Digest of the conditions" in run("exception", "show", number, "--as", "wei")
    with pytest.raises(CommandError, match="--digest"):
        run("exception", "accept", number, "--as", "wei")
    assert "not the conditions" in refused("exception", "accept", number, "--digest", "x", "--as", "wei")
    assert "waits for your word" in refused(
        "exception", "accept", number, "--digest", shown["conditions_digest"], "--as", "hana"
    )
    assert "has no waiver" in refused("exception", "renew", number, "--as", "hana")
    done = told("exception", "accept", number, "--digest", shown["conditions_digest"], "--as", "wei")
    assert sorted(done) == ["id", "stages", "state"]
    assert decide("p009", "fable-5", "use").code == "waiver"
    again = told("exception", "renew", number, "--as", "hana")
    assert (again["state"], [stage["state"] for stage in again["stages"]]) == ("open", ["open", "waiting"])
    assert "needs the right" in refused("exception", "revoke", number, "--reason", "x", "--as", "hana")
    assert "is required" in refused("exception", "revoke", number, "--reason", " ", "--as", "lucia")
    told("exception", "revoke", number, "--reason", "Not supervised.", "--as", "lucia")
    assert decide("p009", "fable-5", "use").code == "directive"
    assert "has ended already" in refused("exception", "revoke", number, "--reason", "x", "--as", "lucia")
    assert Waiver.objects.get().end_reason == "Not supervised."


def test_conditions_are_declined(in_force: Any) -> None:
    number = approved()
    digest = told("exception", "show", number, "--as", "wei")["conditions_digest"]
    done = told("exception", "decline", number, "--digest", digest, "--words", "Not alone.", "--as", "wei")
    assert done["state"] == "declined"
    assert not Waiver.objects.exists()
    assert told("exception", "show", number, "--as", "hana")["close_reason"] == "Not alone."


def test_lists_show_what_the_account_may_see(in_force: Any) -> None:
    run("exception", "file", *ASKS, "--person", "p009", "p010", "--as", "hana")
    assert [one["person"] for one in told("exception", "list", "--as", "lucia")["exceptions"]] == ["p010", "p009"]
    assert [one["person"] for one in told("exception", "list", "--as", "wei")["exceptions"]] == ["p009"]
    assert told("exception", "list", "--as", "jonas") == {"exceptions": []}
    assert told("exception", "list", "--state", "approved", "--as", "lucia") == {"exceptions": []}
    assert len(told("exception", "list", "--limit", "1", "--directive", REFERENCE, "--as", "lucia")["exceptions"]) == 1
    assert "from 1 to 500" in refused("exception", "list", "--limit", "0", "--as", "lucia")
    number = str(ExceptionRequest.objects.get(person="p010").pk)
    assert "that you may see" in refused("exception", "show", number, "--as", "wei")
    assert "that you may see" in refused("exception", "show", "999999", "--as", "lucia")
    with pytest.raises(CommandError):
        run("exception", "show", "first", "--as", "lucia")
    assert [one["reference"] for one in told("directive", "list")["directives"]] == [REFERENCE]


def test_drafts_are_kept_filed_and_thrown_away(in_force: Any) -> None:
    save = ["exception", "draft", "save", *ASKS, "--as", "hana"]
    key = told(*save, "--person", "p009")["key"]
    assert told(*save, "--person", "p009", "p010", "--key", key)["people"] == ["p009", "p010"]
    assert [one["key"] for one in told("exception", "draft", "list", "--as", "hana")["drafts"]] == [key]
    assert told("exception", "draft", "list", "--as", "maren") == {"drafts": []}
    assert "no such draft" in refused("exception", "draft", "file", key, "--as", "maren")
    filed = told("exception", "draft", "file", key, "--as", "hana")
    assert [one["state"] for one in filed["exceptions"]] == ["open", "open"]
    assert "is over" in refused("exception", "draft", "file", key, "--as", "hana")
    other = told(*save, "--person", "p012")["key"]
    assert told("exception", "draft", "discard", other, "--as", "hana")["state"] == "discarded"
    assert "no such draft" in refused("exception", "draft", "discard", other, "--as", "hana")
    assert "report to you" in refused(*save, "--person", "p001")
    assert ExceptionDraft.objects.count() == 1
    with pytest.raises(CommandError):
        run("exception", "draft", "file", "no-key", "--as", "hana")


def test_delegations_by_commands() -> None:
    until = (timezone.now() + timedelta(days=3)).isoformat()
    give = ["delegation", "give", "maren", "--until", until, "--as", "idris"]
    assert "reason is required" in refused(*give, "--reason", " ").replace(":", "")
    assert "must be a time with its zone" in refused(
        "delegation", "give", "maren", "--until", "soon", "--reason", "x", "--as", "idris"
    )
    assert "name of an account" in refused(
        "delegation", "give", "nobody", "--until", until, "--reason", "x", "--as", "idris"
    )
    given = told(*give, "--reason", "leave")
    assert (given["principal"], given["delegate"], given["revoked_at"]) == ("idris", "maren", None)
    assert "already" in refused(*give, "--reason", "leave")
    for name, number in (("idris", 1), ("maren", 1), ("peter", 0), ("admin", 1)):
        assert len(told("delegation", "list", "--as", name)["delegations"]) == number
    assert "of yours" in refused("delegation", "revoke", str(given["id"]), "--as", "peter")
    assert told("delegation", "revoke", str(given["id"]), "--as", "maren")["revoked_at"]
    assert "ended" in run("delegation", "list", "--as", "idris")


def test_held_changes_by_commands(tmp_path: Path, machine: Any, in_force: Any) -> None:
    import_people(
        actor=machine, organisations_file=None,
        people_file=people_file(tmp_path / "p.csv", {"p009": {"citizenships": "US"}, "p010": {"citizenships": "US"}}),
    )  # fmt: skip
    printed = run("held", "list", "--as", "teo")
    assert "citizenships" in printed
    assert "US" not in printed.replace(REFERENCE, "")
    assert "needs the right" in refused("held", "list", "--as", "hana")
    assert Entry.objects.filter(action="look.list", actor="teo").count() == 1
    rows = {one["id"]: one for one in told("held", "list", "--as", "teo")["held"]}
    assert sorted(rows) == ["p009", "p010"]
    seen = rows["p009"]["proposed_at"]
    assert "has changed" in refused("held", "confirm", "person", "p009", "--seen", "2026-01-01", "--as", "teo")
    assert "needs the right" in refused("held", "confirm", "person", "p009", "--seen", seen, "--as", "lucia")
    assert told("held", "confirm", "person", "p009", "--seen", seen, "--as", "teo")["verdict"] == "confirm"
    assert (
        told("held", "refuse", "person", "p010", "--seen", rows["p010"]["proposed_at"], "--as", "teo")["id"] == "p010"
    )
    assert not HeldPerson.objects.exists()
    assert decide("p009", "fable-5", "use").permit
    assert "no such held change" in refused("held", "confirm", "person", "p009", "--seen", seen, "--as", "teo")
    with pytest.raises(CommandError):
        run("held", "confirm", "role", "p009", "--seen", seen, "--as", "teo")


def test_a_token_is_revoked_by_name_by_number_and_by_an_administrator(capsys: Any) -> None:
    plain = [run("create_personal_token", name, "--as", "idris").strip() for name in ("laptop", "phone", "7")]

    def works(token: str) -> bool:
        bearer = {"Authorization": f"Bearer {token}"}
        return Client().get("/api/v1/approvals", headers=bearer).status_code == 200

    assert all(works(each) for each in plain)
    phone = str(PersonalToken.objects.get(name="phone").pk)
    assert "no such token" in refused("revoke_personal_token", "laptop", "--as", "peter")
    assert "no such token" in refused("revoke_personal_token", phone, "--as", "peter")
    call_command("revoke_personal_token", "laptop", "--as", "idris")
    call_command("revoke_personal_token", phone, "--as", "admin")
    call_command("revoke_personal_token", "7", "--as", "idris")  # a name, though it looks like a number
    assert not any(works(each) for each in plain)
    assert "already" in refused("revoke_personal_token", phone, "--as", "idris")
    assert Entry.objects.filter(action="personal_token.revoked").count() == 3
