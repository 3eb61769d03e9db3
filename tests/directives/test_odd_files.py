"""Whatever a scenario file holds, loading it ends in drafts or in a refusal that names the place; never in half of it."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings

from governance.catalog.models import AIModel, Audience, Capability, ModelCapability, Provider
from governance.directives.models import Alternative, CaseItem, CountryGroup, Directive, DirectiveVersion, ScopeItem
from governance.enforcement import candidates, previews
from governance.enforcement.documents import read_yaml
from governance.enforcement.services import lifecycle
from governance.enforcement.services.catalog import import_catalog
from governance.enforcement.services.first_start import SCENARIO
from governance.enforcement.services.loading import load_directives
from governance.errors import Invalid, Refused
from governance.ledger.models import Entry, OutboxEvent
from governance.waivers.models import Licence
from tests import odd
from tests.extended import examples

pytestmark = pytest.mark.django_db
SCENARIO_FILE = yaml.safe_load((SCENARIO / "scenario.yaml").read_text())
STORED = (
    Directive, DirectiveVersion, ScopeItem, CaseItem, Alternative, Licence, Entry, OutboxEvent, CountryGroup, AIModel,
    Audience, Capability, ModelCapability, Provider,
)  # fmt: skip
FUZZ = settings(
    max_examples=examples(50), deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


def _new() -> dict[str, Any]:
    found = {name: copy.deepcopy(SCENARIO_FILE[name]) for name in ("directives", "alternatives")}
    found["directives"][0]["reference"] = "US-2"
    found["directives"][0]["licences"][0]["reference"] = "L-2"
    found["directives"][0]["definitions"] = {"national": {"since": "2026-01-01", "of": ["US"]}}
    return found


def _catalog() -> dict[str, Any]:
    sections = ("providers", "capabilities", "models", "audiences")
    return {name: copy.deepcopy(SCENARIO_FILE[name]) for name in sections} | {"country_groups": {"NORTH": ["CA", "US"]}}


def with_directive(**changes: Any) -> dict[str, Any]:
    document = _new()
    document["directives"][0] |= changes
    return document


def with_licence(**changes: Any) -> dict[str, Any]:
    document = _new()
    document["directives"][0]["licences"][0] |= changes
    return document


def with_alternative(**changes: Any) -> dict[str, Any]:
    document = _new()
    document["alternatives"][0] |= changes
    return document


def with_case(**changes: Any) -> dict[str, Any]:
    return with_directive(case_file=[{"at": "2026-06-12T12:00:00Z", "kind": "letter", "title": "A letter", **changes}])


def stored() -> tuple[int, ...]:
    counts = ", ".join(f"(SELECT count(*) FROM {model._meta.db_table})" for model in STORED)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}")
        return tuple(cursor.fetchone())


def load(actor: Any, document: Any) -> list[str]:
    return load_directives(actor=actor, document=document, read_file=lambda name: b"letter")


SCOPE = [{"model": "fable-5", "capabilities": [["use"]]}]
RULE = {"attr": "person.start_date", "op": "before", "value": "2026-01-01"}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (with_directive(licences="abc"), r"directives\[0\].licences: must be a list"),
        (with_directive(licences=["abc"]), r"directives\[0\].licences\[0\]: must be a mapping"),
        (with_licence(people=99999999999999999999), r"licences\[0\].people: must be a whole number from 1 to"),
        (with_licence(people=True), r"licences\[0\].people: must be a whole number"),
        (with_licence(reference="x" * 61), r"licences\[0\].reference: is longer than 60"),
        (with_licence(valid_until="9999-12-31T23:59:59-14:00"), r"licences\[0\].valid_until: must lie in the years"),
        (with_directive(licences=_new()["directives"][0]["licences"] * 2), r"licences\[1\].reference: stands there twice"),
        (with_directive(definitions={1: "x"}), r"directives\[0\].definitions: has a name that is not text"),
        (with_directive(definitions={"a": [float("nan")]}), r"definitions.a\[0\]: is not a number that JSON knows"),
        (with_directive(definitions={"a": 2**53}), r"definitions.a: is a number too large for JSON"),
        (with_directive(definitions="\ud800"), r"definitions: holds a character that cannot be stored"),
        (with_directive(authority="x" * 201), r"directives\[0\].authority: is longer than 200 characters"),
        (with_directive(title="x" * 201), r"directives\[0\].title: is longer than 200 characters"),
        (with_directive(title="a\ud800b"), r"directives\[0\].title: holds a character that cannot be stored"),
        (with_directive(position="\x00"), r"directives\[0\].position: holds a character that cannot be stored"),
        (with_directive(replaces=["x"]), r"directives\[0\].replaces: must be text"),
        (with_directive(effect=["deny"]), r"directives\[0\].effect: must be one of"),
        (with_directive(received_at="0001-01-01T00:00:00+14:00"), r"received_at: must lie in the years 1900 to 9998"),
        (with_directive(expires_at="9999-12-31T23:59:59-14:00"), r"expires_at: must lie in the years 1900 to 9998"),
        (with_directive(received_at=10**5_000), r"directives\[0\].received_at: must be a time with its zone"),
        (with_directive(scope=SCOPE), r"directives\[0\].scope\[0\].capabilities: must be text"),
        (with_directive(rule=RULE | {"value": float("nan")}), r"directives\[0\].rule.value: is not a number"),
        (with_directive(rule=RULE | {1: 2}), r"directives\[0\].rule: has a name that is not text"),
        (with_directive(case_file="x"), r"directives\[0\].case_file: must be a list"),
        (with_directive(case_file=["x"]), r"directives\[0\].case_file\[0\]: must be a mapping"),
        (with_case(model=["x"]), r"case_file\[0\].model: must be text"),
        (with_case(kind="x" * 31), r"case_file\[0\].kind: is longer than 30 characters"),
        (with_case(state="x" * 21), r"case_file\[0\].state: is longer than 20 characters"),
        (with_case(file="x" * 201), r"case_file\[0\].file: is longer than 200 characters"),
        (
            with_directive(comparables=[{"model": "gpt-5-5", "capability": ["x"]}]),
            r"comparables\[0\].capability: must be text",
        ),
        (with_alternative(slug="x" * 61), r"alternatives\[0\].slug: is longer than 60 characters"),
        (with_alternative(slug="outside-us"), r"alternatives\[1\].slug: stands there twice"),
        (with_alternative(effect="foo"), r"alternatives\[0\].effect: must be one of deny, monitor"),
        (with_alternative(include_derived="yes"), r"alternatives\[0\].include_derived: must be true or false"),
        (with_alternative(note=float("inf")), r"alternatives\[0\].note: is not a number that JSON knows"),
        ({"directives": _new()["directives"], "alternatives": 7}, r"alternatives: must be a list"),
    ],
)  # fmt: skip
def test_a_directive_that_cannot_be_stored_is_refused_with_its_place(document: Any, path: str, act_as: Any) -> None:
    before = stored()
    with pytest.raises(Invalid, match=path):
        load(act_as("lucia"), document)
    assert stored() == before


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"models": [{"slug": "x", "name": "X", "provider": ["x"], "stage": "general"}]}, r"models\[0\].provider: must be"),
        (
            {"models": [{"slug": "x", "name": "X", "provider": "company", "stage": "general", "derived_from": ["a"]}]},
            r"models\[0\].derived_from: must be text",
        ),
        (
            {"models": [{"slug": "fable-5", "name": "F", "provider": "company", "stage": "general",
                         "capabilities": {"use": {"enabled": True, "audience": ["everyone"]}}}]},
            r"models\[0\].capabilities.use.audience: must be text",
        ),
        ({"models": [{"slug": ["x"]}, {"slug": ["x"]}]}, r"models\[1\].slug"),
        ({"capabilities": [{"slug": "x", "name": "n" * 201, "domain": "d", "tier": 1}]}, r"name: is longer than 200"),
        ({"capabilities": [{"slug": "x", "name": "n", "domain": "d" * 61, "tier": 1}]}, r"domain: is longer than 60"),
        ({"providers": [{"slug": "x", "name": "\ud800"}]}, r"providers\[0\].name: holds a character"),
        ({"audiences": {10**5_000: True}}, r"audiences: has a name that is not text"),
        ({"audiences": {"a": {"attr": "person.protected_status", "op": "in", "value": [[1]]}}}, r"audiences.a.value\[0\]"),
        ({"country_groups": ["EU"]}, r"country_groups: must be a mapping"),
        ({"country_groups": {"EU": [["DE"]]}}, r"country_groups.EU: must be a list of ISO"),
        ({"country_groups": {"x" * 61: ["DE"]}}, r"country_groups: a name must be at most 60"),
        ({"country_groups": {7: ["DE"]}}, r"country_groups: a name must be"),
    ],
)  # fmt: skip
def test_a_catalog_that_cannot_be_stored_is_refused_with_its_place(document: Any, path: str, machine: Any) -> None:
    before = stored()
    with pytest.raises(Invalid, match=path):
        import_catalog(actor=machine, document=document)
    assert stored() == before


def test_country_groups_are_counted_and_recorded(machine: Any) -> None:
    def loaded(**groups: list[str]) -> dict[str, int]:
        return import_catalog(actor=machine, document={"country_groups": groups}).as_json()

    assert loaded(NORTH=["US", "CA", "US"]) == {"created": 1, "updated": 0, "unchanged": 0, "held": 0}
    assert loaded(NORTH=["CA", "US"], EU=["DE"]) == {"created": 1, "updated": 0, "unchanged": 1, "held": 0}
    assert loaded(NORTH=["CA"]) == {"created": 0, "updated": 1, "unchanged": 0, "held": 0}
    entries = Entry.objects.filter(action="country_groups.loaded").order_by("pk")
    assert [entry.subject for entry in entries] == ["catalog:all"] * 3
    assert '"NORTH"' in entries[0].record and '"CA"' in entries[0].record


def test_an_unquoted_date_in_a_rule_is_a_date_like_a_quoted_one(act_as: Any, tmp_path: Path) -> None:
    file = tmp_path / "dates.yaml"
    file.write_text(yaml.safe_dump(with_directive(rule=RULE | {"value": date(2026, 1, 1)})))
    assert "value: 2026-01-01\n" in file.read_text()
    document = read_yaml(file)
    document["alternatives"] = [
        {
            "slug": "dates",
            "title": "Dates",
            "rule": {"attr": "person.start_date", "op": "in", "value": [date(2026, 1, 1)]},
        }
    ]
    assert load(act_as("lucia"), document) == ["US-2"]
    version = DirectiveVersion.objects.get(directive__reference="US-2")
    assert version.rule == RULE
    assert Alternative.objects.get(slug="dates").statement["rule"]["value"] == ["2026-01-01"]
    previews.preview_of(candidates.with_alternative(version, "dates"))
    lifecycle.submit(actor=act_as("lucia"), reference="US-2")


@pytest.mark.parametrize(
    "text",
    [
        "directives: [{received_at: 2026-13-45T00:00:00Z}]", "people: " + "9" * 5_000, "a: !!timestamp soon",
        "a: !!int ''", "a: !!bool perhaps", "a: !!float x", "? [a]\n: b", "\x00", "- a\n- b",
    ],
)  # fmt: skip
def test_a_file_that_yaml_cannot_read_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(text)
    error = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("import_catalog", str(file), stdout=io.StringIO(), stderr=error)
    assert ended.value.code == 1
    assert error.getvalue().startswith("odd.yaml is not") and error.getvalue().count("\n") == 1


def test_an_endless_document_is_refused(act_as: Any) -> None:
    circle: list[Any] = []
    circle.append(circle)
    wide: Any = "x"
    for _ in range(9):
        wide = [wide] * 10
    for value in (circle, wide):
        with pytest.raises(Invalid, match=r"nested too deeply or holds too much"):
            load(act_as("lucia"), with_directive(definitions={"a": value}))
        with pytest.raises(Invalid, match=r"nested too deeply or holds too much"):
            load(act_as("lucia"), with_directive(rule={"any": value}))


def refused_or_whole(act: Callable[[], Any]) -> None:
    """The act refuses, in words that can be shown, and leaves nothing; or it succeeds. What it wrote is taken back."""
    before, reason = stored(), None
    with transaction.atomic():
        try:
            act()
        except Refused as refusal:
            reason = refusal.reason
        assert reason is None or (reason.encode() and stored() == before)
        transaction.set_rollback(True)


def test_no_directive_file_breaks_the_loading(act_as: Any) -> None:
    lucia = act_as("lucia")

    @FUZZ
    @given(odd.changed(_new()))
    def holds(document: dict[str, Any]) -> None:
        refused_or_whole(lambda: load(lucia, document))

    holds()


def test_no_catalog_file_breaks_the_import(machine: Any) -> None:
    @FUZZ
    @given(odd.changed(_catalog()))
    def holds(document: dict[str, Any]) -> None:
        refused_or_whole(lambda: import_catalog(actor=machine, document=document))

    holds()
