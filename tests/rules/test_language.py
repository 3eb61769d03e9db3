"""What the language takes, what it refuses and where, and how it reads in English."""

from __future__ import annotations

from typing import Any

import pytest

from governance.rules import english, explain
from governance.rules.attributes import SLOTS
from governance.rules.closures import compile_closure
from governance.rules.countries import COUNTRIES
from governance.rules.language import RuleError, expand_groups, parse

US = {"attr": "person.citizenships", "op": "includes_any", "value": ["US"]}


def facts(**known: Any) -> tuple[Any, ...]:
    return tuple(known.get(name.replace(".", "_")) for name in SLOTS)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"all": US}, "$.all"),
        ({"all": [US, {"any": [{"attr": "person.height", "op": "is", "value": 1}]}]}, "$.all[1].any[0].attr"),
        ({"attr": "person.kind", "op": "before", "value": "x"}, "$.op"),
        ({"attr": "person.kind", "op": "is", "value": "robot"}, "$.value"),
        ({"attr": "person.kind", "op": "is"}, "$.value"),
        ({"attr": "person.kind", "op": "known", "value": True}, "$.value"),
        ({"attr": "person.citizenships", "op": "includes_any", "value": ["US", "XX"]}, "$.value[1]"),
        ({"attr": "person.citizenships", "op": "includes_any", "value": "US"}, "$.value"),
        ({"attr": "person.location_country", "op": "is", "value": "us"}, "$.value"),
        ({"attr": "person.protected_status", "op": "is", "value": "yes"}, "$.value"),
        ({"attr": "person.start_date", "op": "before", "value": "12 June"}, "$.value"),
        ({"attr": "person.department", "op": "is", "value": ""}, "$.value"),
        ({**US, "note": 1}, "$.note"),
        ({"not": [US]}, "$.not"),
        ({"all": [], "any": []}, "$"),
        ("everybody", "$"),
        (None, "$"),
        ({"all": [US, {"attr": "person.id", "op": "is", "value": "p1"}]}, "$"),
    ],
)
def test_what_lies_outside_the_language_is_refused_with_its_path(document: Any, path: str) -> None:
    with pytest.raises(RuleError) as refused:
        parse(document)
    assert refused.value.errors[0][0] == path


def test_depth_nodes_and_lists_are_limited() -> None:
    deep: Any = True
    for _ in range(12):
        deep = {"not": deep}
    with pytest.raises(RuleError, match="12 levels"):
        parse(deep)
    parse(deep["not"])
    with pytest.raises(RuleError, match="200 nodes"):
        parse({"all": [True] * 200})
    parse({"all": [True] * 199})
    with pytest.raises(RuleError, match="500 values"):
        parse({"attr": "person.department", "op": "in", "value": [str(n) for n in range(501)]})


def test_a_very_deep_document_is_refused_and_breaks_nothing() -> None:
    deep: Any = True
    for _ in range(100_000):
        deep = {"not": deep}
    with pytest.raises(RuleError):
        parse(deep)


def test_country_groups_expand_sorted_and_unknown_ones_are_named() -> None:
    rule = {"attr": "person.citizenships", "op": "within", "value": ["US", "group:five-eyes"]}
    assert expand_groups(rule, {"five-eyes": ["GB", "US"]})["value"] == ["GB", "US"]
    with pytest.raises(RuleError, match="no country group"):
        expand_groups(rule, {})


@pytest.mark.parametrize(
    ("document", "known", "truth"),
    [
        ({"all": []}, {}, True),
        ({"any": []}, {}, False),
        ({"not": US}, {"person_citizenships": []}, True),
        ({"not": US}, {}, None),
        ({"all": [US, False]}, {}, False),
        ({"any": [US, True]}, {}, True),
        ({"any": [US, False]}, {}, None),
        ({"attr": "person.citizenships", "op": "known"}, {}, False),
        ({"attr": "person.citizenships", "op": "within", "value": ["US"]}, {"person_citizenships": []}, True),
        ({"attr": "person.citizenships", "op": "includes_all", "value": []}, {"person_citizenships": []}, True),
        ({"attr": "person.kind", "op": "in", "value": []}, {}, None),
        ({"attr": "person.kind", "op": "in", "value": []}, {"person_kind": "employee"}, False),
    ],
)
def test_three_valued_logic_is_kleenes(document: Any, known: dict[str, Any], truth: bool | None) -> None:
    assert compile_closure(parse(document))(facts(**known)) is truth


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (True, "Everybody."),
        (False, "Nobody."),
        ({"not": US}, "People whose citizenships do not include United States."),
        (
            {"all": [{"not": US}, {"attr": "org.vetting", "op": "is", "value": "vetted"}]},
            "People whose citizenships do not include United States and whose organisation vetting is vetted.",
        ),
        (
            {"not": {"any": [US, {"attr": "person.protected_status", "op": "is", "value": True}]}},
            "People whose citizenships do not include United States and who do not have protected status.",
        ),
        (
            {"attr": "person.start_date", "op": "before", "value": "2026-06-12"},
            "People whose start date is before 12 June 2026.",
        ),
    ],
)
def test_a_rule_reads_as_a_sentence(document: Any, words: str) -> None:
    assert english.sentence(parse(document)) == words


def test_a_trace_holds_truths_and_never_a_value() -> None:
    rule = parse({"all": [{"not": US}, {"attr": "person.kind", "op": "is", "value": "employee"}]})
    node = explain.trace(rule, [facts(person_citizenships=["CN"], person_kind="employee")])
    assert node["truth"] == "true"
    assert node["children"][0]["children"][0]["truth"] == "false"
    assert "CN" not in str(node)


def test_there_are_249_countries() -> None:
    assert len(COUNTRIES) == 249
