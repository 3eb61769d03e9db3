"""The command line: one JSON document, refusals with exit status 1, nothing that the pages refuse."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from governance.directives.models import Directive
from governance.enforcement.services.first_start import SCENARIO
from tests.conftest import REFERENCE

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> str:
    error = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command(*arguments, stdout=io.StringIO(), stderr=error)
    assert ended.value.code == 1
    return error.getvalue()


def test_exceptions_for_several_are_filed_changed_and_withdrawn_by_commands(
    in_force: Any, tmp_path: Path, settings: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    plan, program = tmp_path / "plan.txt", tmp_path / "plan.pdf"
    plan.write_text("Who sits beside whom\n")
    program.write_bytes(b"MZ\x00\x01")
    asks = ["--model", "fable-5", "--capability", "use", "--reason", "evaluation", "--as", "hana"]
    file = ["exception", "file", "--directive", REFERENCE, *asks, "--days", "7", "--mitigation", "supervised"]
    assert "does not cover Daniel Stone" in refused(*file, "--person", "p009", "p011")
    assert "not taken" in refused(*file, "--person", "p009", "--attach", str(program))
    assert "cannot be read" in refused(*file, "--person", "p009", "--attach", str(tmp_path / "nothing"))
    filed = json.loads(run(*file, "--person", "p009", "p010", "--attach", str(plan), "--json"))["exceptions"]
    assert [one["state"] for one in filed] == ["open", "open"]
    first, second = (str(one["id"]) for one in filed)
    run("exception", "approve", first, "--as", "idris")
    changed = json.loads(run("exception", "edit", first, *asks, "--days", "8", "--json"))
    assert changed["stages"] == [
        {"name": "Trust-and-safety lead", "state": "open"},
        {"name": "Export-control counsel", "state": "waiting"},
    ]
    assert "Only the person who filed" in refused("exception", "edit", first, *asks[:-1], "maren", "--days", "8")
    assert json.loads(run("exception", "withdraw", second, "--as", "hana", "--json"))["state"] == "withdrawn"


def test_the_whole_life_by_commands() -> None:
    status = json.loads(run("directive", "status", REFERENCE, "--json"))
    assert (status["state"], status["version"], status["request"], status["run"]) == ("draft", 1, None, None)
    run("directive", "submit", REFERENCE, "--as", "lucia")
    status = json.loads(run("directive", "status", REFERENCE, "--json"))
    assert status["request"] == {
        "kind": "directive.activation", "stages": [{"name": "Second person", "state": "open"}],
    }  # fmt: skip
    run("directive", "approve", REFERENCE, "--as", "peter", "--comment", "read and agreed")
    done = json.loads(run("directive", "activate", REFERENCE, "--as", "lucia", "--wait", "--json"))
    assert done["run"]["state"] == "finished"
    assert done["run"]["restrictions"] == 21
    filed = json.loads(
        run(
            "exception", "file", "--directive", REFERENCE, "--person", "p009", "--model", "fable-5", "--capability", "use",
            "code-review", "--days", "10", "--reason", "evaluation", "--as", "hana", "--json",
        )
    )  # fmt: skip
    assert filed["stages"] == [
        {"name": "Trust-and-safety lead", "state": "open"}, {"name": "Export-control counsel", "state": "waiting"},
    ]  # fmt: skip
    run("exception", "approve", str(filed["id"]), "--as", "idris")
    last = json.loads(run("exception", "approve", str(filed["id"]), "--as", "peter", "--json"))
    assert last["state"] == "approved"
    preview = json.loads(run("directive", "preview", REFERENCE, "--json"))
    assert preview["keep_by_waiver"] == 1, "p009 keeps every decision there is now"
    run("directive", "rescind", REFERENCE, "--as", "lucia", "--reason", "withdrawn")
    run("directive", "approve", REFERENCE, "--as", "idris")
    assert json.loads(run("directive", "status", REFERENCE, "--json"))["state"] == "rescinded"


def test_the_confirmation_of_an_emergency_is_asked_again_by_command() -> None:
    run("directive", "activate", REFERENCE, "--emergency", "--reason", "at once", "--as", "lucia")
    assert "cannot be withdrawn" in refused("directive", "withdraw", REFERENCE, "--as", "lucia")
    run("directive", "reject", REFERENCE, "--as", "idris")
    run("directive", "confirm", REFERENCE, "--as", "tomas")
    status = json.loads(run("directive", "status", REFERENCE, "--json"))
    assert (status["state"], status["request"]["kind"]) == ("active", "directive.confirmation")
    run("directive", "approve", REFERENCE, "--as", "peter")
    assert not Directive.objects.get(reference=REFERENCE).to_be_confirmed


def test_a_bare_rule_can_be_previewed_and_a_malformed_one_is_refused(tmp_path: Path) -> None:
    rule = tmp_path / "rule.json"
    rule.write_text("true")
    assert json.loads(run("directive", "preview", REFERENCE, "--rule", str(rule), "--json"))["covered"] == 36
    rule.write_text('{"all": [{"attr": "person.height", "op": "is", "value": 1}]}')
    assert "rule.all[0].attr" in refused("directive", "preview", REFERENCE, "--rule", str(rule), "--json")
    rule.write_text("{")
    assert "not valid JSON" in refused("directive", "preview", REFERENCE, "--rule", str(rule))
    assert "no directive" in refused("directive", "preview", "NOPE")
    assert "no version 9" in refused("directive", "preview", REFERENCE, "--version", "9")
    assert "no alternative" in refused("directive", "preview", REFERENCE, "--alternative", "nope")


def test_bytes_that_are_no_text_are_refused_before_anything_is_asked() -> None:
    assert "reference: holds a character" in refused("directive", "status", "US-\udcff")
    assert "reason: holds a character" in refused(
        "directive", "suspend", REFERENCE, "--as", "lucia", "--reason", "\udcff"
    )


def test_time_travel_is_refused_with_a_clear_message() -> None:
    question = ("--model", "fable-5", "--capability", "use", "--at", "2026-06-12T21:30:00Z")
    assert "history is not kept yet" in refused("decide", "--person", "p009", *question)
    assert "history is not kept yet" in refused("who_can_use", *question)


def test_loading_directives_is_all_or_nothing(tmp_path: Path) -> None:
    text = (SCENARIO / "scenario.yaml").read_text()
    (tmp_path / "letter.txt").write_text("letter")
    file = tmp_path / "scenario.yaml"
    file.write_text(text)
    assert "already" in refused("directive", "load", str(file), "--as", "anjali")
    file.write_text(
        text.replace(REFERENCE, "US-2").replace("US-LIC-0614", "L-2").replace("op: includes_any", "op: includes_some")
    )
    assert "directives[0].rule.not.op" in refused("directive", "load", str(file), "--as", "anjali")
    file.write_text(text.replace(REFERENCE, "US-2").replace("file: letter.txt", "file: ../letter.txt"))
    assert "cannot be read" in refused("directive", "load", str(file), "--as", "anjali")
    assert Directive.objects.count() == 1
    file.write_text(text.replace(REFERENCE, "US-2").replace("US-LIC-0614", "L-2"))
    assert "right" in refused("directive", "load", str(file), "--as", "wei")
    assert json.loads(run("directive", "load", str(file), "--as", "anjali", "--json")) == {"loaded": ["US-2"]}
    assert Directive.objects.get(reference="US-2").alternatives.count() == 4


def test_why_tells_truths_and_no_values(in_force: Any) -> None:
    text = run("why", "--person", "p009", "--model", "fable-5", "--capability", "use")
    assert text.startswith("Deny (directive).")
    assert "citizenships include United States" in text
    assert "CN" not in text
    assert "China" not in text


def test_csv_has_its_header_and_sorted_ids() -> None:
    lines = run("who_can_use", "--model", "mythos-5", "--capability", "biological-design").split()
    assert lines[0] == "person_id"
    assert lines[1:] == sorted(lines[1:])
