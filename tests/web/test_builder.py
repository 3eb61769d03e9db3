"""The rule builder edits any rule: what its buttons do, taken back by undo, and every rule survives the form."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.directives.models import CountryGroup
from governance.errors import Invalid
from governance.rules import templates
from governance.rules.attributes import ATTRIBUTES, LIST_OPERATORS, Type
from governance.rules.countries import COUNTRIES
from governance.rules.language import Leaf, Rule, dump, parse
from governance.web import value_text
from governance.web.builder import Builder
from tests.extended import examples
from tests.rules.test_compilers_agree import leaves, rules

pytestmark = pytest.mark.django_db
NEW = {"attr": "person.citizenships", "op": "includes_any", "value": []}
A, B, C = ({"attr": "person.kind", "op": "is", "value": kind} for kind in ("employee", "partner", "customer"))


def posted(builder: Builder) -> dict[str, str]:
    """What the form would send back."""
    values = {"past": builder.past_json, "future": builder.future_json, "shown": builder.shown_json}
    for index, row in enumerate(builder.rows):
        values |= {f"k{index}": row.kind, f"d{index}": str(row.depth)}
        if row.kind == "leaf":
            values |= {
                f"a{index}": row.attr,
                f"o{index}": row.op,
                f"v{index}": re.sub(r"[\r\n]", "", row.value),
            }  # as a browser does
    return values


TEXTS = tuple(name for name, one in ATTRIBUTES.items() if one.type is Type.TEXT and not one.choices)
PLACES = tuple(name for name, one in ATTRIBUTES.items() if one.type in value_text.COUNTRY_TYPES)


@st.composite
def odd_leaves(draw: Any) -> Rule:
    """Conditions whose values hold what the field uses itself: separators, quotes, spaces at the ends, line breaks."""
    name = draw(st.sampled_from(TEXTS + PLACES))
    text = st.text(st.sampled_from(",;\"'\\ \n\ran\u2028é"), min_size=1, max_size=8)
    value = st.sampled_from(sorted(COUNTRIES)) if name in PLACES else text
    op = draw(st.sampled_from([op for op in ATTRIBUTES[name].operators if op != "known"]))
    if op in LIST_OPERATORS:
        return Leaf(name, op, tuple(draw(st.lists(value, max_size=4, unique=True))))
    return Leaf(name, op, draw(value))


def acted(rule: Any, *actions: str) -> Any:
    builder = Builder.of(rule)
    for action in actions:
        builder = Builder.from_post(posted(builder))
        builder.act(action)
    return builder.rule()


@settings(max_examples=examples(50), deadline=None)
@given(rule=rules(leaves() | odd_leaves()))
def test_every_rule_survives_the_form(rule: Rule) -> None:
    document = dump(rule)
    builder = Builder.from_post(posted(Builder.of(document)))
    assert builder.rule() == document
    builder.act("none")
    assert Builder.from_post(posted(builder)).rule() == document
    assert not builder.past, "nobody typed anything"


@pytest.mark.parametrize(
    "leaf",
    [
        {"attr": "person.department", "op": "in", "value": ["Research, Safety", "Ops"]},
        {"attr": "person.department", "op": "is", "value": "Legal;"},
        {"attr": "person.department", "op": "is", "value": ' 5" disk, "A" \\ B\n '},
        {"attr": "person.department", "op": "in", "value": []},
        {"attr": "person.citizenships", "op": "includes_any", "value": ["US", "group:allies", "BQ"]},
    ],
)
def test_no_value_is_changed_by_being_shown(leaf: Any) -> None:
    assert acted({"all": [leaf, A]}, "none", "remove:2", "undo") == {"all": [leaf, A]}


def test_a_group_that_becomes_everybody_takes_what_stood_in_it_along() -> None:
    builder = Builder.of({"all": [{"any": [A, B]}, C]})
    form = posted(builder) | {"k1": "true"}
    changed = Builder.from_post(form)
    assert changed.rule() == {"all": [True, C]}
    changed.act("none")
    changed = Builder.from_post(posted(changed))
    changed.act("undo")
    assert changed.rule() == {"all": [{"any": [A, B]}, C]}
    assert Builder.from_post(posted(builder) | {"k0": "false"}).rule() is False


@pytest.mark.parametrize(
    ("typed", "codes"),
    [
        ("us, GB", ["US", "GB"]),
        ("united states; China", ["US", "CN"]),
        ("Cote d’Ivoire", ["CI"]),
        ('"Bonaire, Sint Eustatius and Saba", France', ["BQ", "FR"]),
        ("Allies, group:allies, JP", ["group:allies", "group:allies", "JP"]),
        ("U, ß", ["U", "ß"]),
        ('"US', ['"US']),
    ],
)
def test_countries_are_read_by_name_code_or_group(typed: str, codes: list[str]) -> None:
    CountryGroup.objects.create(name="allies", countries=["GB", "JP"])
    form = {"k0": "leaf", "d0": "0", "a0": "person.citizenships", "o0": "includes_any", "v0": typed}
    assert Builder.from_post(form).rule()["value"] == codes
    one = {"k0": "leaf", "d0": "0", "a0": "person.location_country", "o0": "is", "v0": "Sint Maarten (Dutch part)"}
    assert Builder.from_post(one).rule()["value"] == "SX"


def test_what_is_picked_is_added_once_and_countries_are_shown_by_name() -> None:
    CountryGroup.objects.create(name="allies", countries=["GB", "JP"])
    form = {"k0": "leaf", "d0": "0", "a0": "person.citizenships", "o0": "includes_any", "v0": "US,"}
    for pick in ("Bonaire, Sint Eustatius and Saba", "group:allies", "allies", "us"):
        builder = Builder.from_post(form | {"p0": pick})
        builder.act("pick:0")
        form["v0"] = builder.rows[0].value
        assert builder.focus == "pick:0"
    assert form["v0"] == 'United States, "Bonaire, Sint Eustatius and Saba", group:allies'
    typing = Builder.from_post(form | {"p0": "Niger"}, picked=False)
    assert "NE" not in typing.rule()["value"], "somebody may go on to Nigeria"


@pytest.mark.parametrize(
    ("rule", "action", "after"),
    [
        ({"all": [A, B, C]}, "up:2", {"all": [B, A, C]}),
        ({"all": [A, B, C]}, "down:2", {"all": [A, C, B]}),
        ({"all": [A, B]}, "up:1", {"all": [A, B]}),
        ({"all": [A, B, C]}, "remove:2", {"all": [A, C]}),
        ({"all": [{"any": [A]}, B]}, "in:3", {"all": [{"any": [A, B]}]}),
        ({"all": [A, B]}, "in:2", {"all": [A, B]}),
        ({"all": [{"any": [A, B]}, C]}, "out:2", {"all": [{"any": [B]}, A, C]}),
        ({"all": [{"any": [A, B]}, C]}, "out:3", {"all": [{"any": [A]}, B, C]}),
        ({"all": [A, B]}, "out:1", {"all": [A, B]}),
        ({"all": [{"not": A}, {"any": [B, C]}]}, "in:3", {"all": [{"not": {"all": [A, {"any": [B, C]}]}}]}),
        ({"all": [A, B, C]}, "place:3:1:above", {"all": [C, A, B]}),
        ({"all": [A, B, C]}, "place:1:3:below", {"all": [B, C, A]}),
        ({"all": [A, B, C]}, "place:3:0:above", {"all": [C, A, B]}),
        ({"all": [{"any": [A]}, B, C]}, "place:4:1:below", {"all": [{"any": [C, A]}, B]}),
        ({"all": [{"any": [A]}, B, C]}, "place:1:4:below", {"all": [B, C, {"any": [A]}]}),
        ({"all": [{"any": [A, B]}, C]}, "place:1:3:below", {"all": [{"any": [A, B]}, C]}),
        ({"all": [A, B]}, "place:0:2:below", {"all": [A, B]}),
        ({"all": [A, B]}, "place:1:9:below", {"all": [A, B]}),
        (True, "add:0", {"all": [NEW]}),
        (A, "add:0", {"all": [A, NEW]}),
        (A, "group:0", {"all": [A, {"any": []}]}),
    ],
)
def test_rows_move_within_groups_and_between_them(rule: Any, action: str, after: Any) -> None:
    assert acted(rule, action) == after


@pytest.mark.parametrize(
    ("rule", "action", "focus"),
    [
        ({"all": [A, B, C]}, "up:3", "up:2"),
        ({"all": [A, B, C]}, "up:2", "down:1"),
        ({"all": [A, B, C]}, "down:1", "down:2"),
        ({"all": [A, {"any": [B, C]}]}, "down:1", "up:4"),
        ({"all": [{"any": [A, B]}, C]}, "out:2", "in:3"),
        ({"all": [{"any": [A]}, B]}, "in:3", "out:3"),
        ({"all": [A, B, C]}, "place:3:1:above", "down:1"),
        ({"all": [A]}, "add:0", "row:2"),
        ({"all": [A, B]}, "remove:1", "remove:1"),
        ({"all": [A, B]}, "remove:2", "remove:1"),
        (A, "remove:0", "add"),
        (A, "template:pause", "row:0"),
    ],
)
def test_the_keyboard_follows_the_row(rule: Any, action: str, focus: str) -> None:
    builder = Builder.of(rule)
    builder.act(action)
    assert builder.focus == focus
    builder.examine()
    control, _, at = focus.partition(":")
    if at:
        assert builder.rows[int(at)].focus == control


def test_pressing_up_twice_moves_a_row_up_twice() -> None:
    builder = Builder.of({"all": [A, B, C]})
    builder.act("up:3")
    builder.act(builder.focus)
    assert builder.rule() == {"all": [C, A, B]}


def test_undo_goes_back_one_change_at_a_time() -> None:
    start = {"all": [A, B, C]}
    assert acted(start, "remove:1", "up:2", "undo") == {"all": [B, C]}
    assert acted(start, "remove:1", "up:2", "undo", "undo") == start
    assert acted(start, "remove:1", "undo", "undo") == start
    assert acted(start, "template:pause", "undo") == start


def typed(builder: Builder, **changes: str) -> Builder:
    return Builder.from_post(posted(builder) | changes)


def test_undo_takes_back_what_was_typed_and_nothing_else() -> None:
    builder = Builder.of({"all": [A, B]})
    builder.act("up:2")
    builder = typed(builder, v1="customer")
    builder.act("undo")
    assert builder.rule() == {"all": [B, A]}
    builder.act("undo")
    assert builder.rule() == {"all": [A, B]}
    for after in ({"all": [B, A]}, {"all": [C, A]}, {"all": [C, A]}):
        builder = typed(builder)
        builder.act("redo")
        assert builder.rule() == after
    assert builder.focus == "undo"
    builder.act("undo")
    builder.act("remove:1")
    assert not builder.future, "a change after undo leaves nothing to redo"


def test_what_was_half_typed_is_remembered_too() -> None:
    builder = typed(Builder.of({"all": [NEW, A]}), v1="US, Uni")
    builder.act("remove:2")
    builder = typed(builder)
    builder.act("undo")
    builder = typed(builder)
    assert builder.rows[1].value == "United States, Uni"
    builder.act("undo")
    assert builder.rule() == {"all": [NEW, A]}


@pytest.mark.parametrize(
    ("attr", "op", "value", "words"),
    [
        ("person.citizenships", "includes_any", "US, U", "“U” is neither a country nor a group of countries"),
        ("person.location_country", "is", "", "a value is missing"),
        ("person.location_country", "is", "group:x", "group:x is a group of countries, which goes with “is one of”"),
        ("person.protected_status", "is", "maybe", "“maybe” must be yes or no"),
        ("person.start_date", "before", "soon", "“soon” must be a date such as 2026-06-12"),
        ("person.department", "is", "a" * 300, "“" + "a" * 40 + "…” must be text of 1 to 200 characters"),
        ("person.shoe", "is", "1", "it is not an attribute that rules may read"),
    ],
)
def test_an_unfinished_row_is_told_and_the_rest_is_still_a_rule(attr: str, op: str, value: str, words: str) -> None:
    rows = {"k0": "any", "d0": "0", "k1": "leaf", "d1": "1", "a1": attr, "o1": op, "v1": value, "k2": "not", "d2": "1"}
    leaf = {"k3": "leaf", "d3": "2", "a3": "person.kind", "o3": "is", "v3": "partner"}
    builder = Builder.from_post(rows | leaf)
    builder.examine()
    assert builder.rows[1].wrong == words
    assert builder.finished_part() == {"any": [{"not": B}]}
    assert builder.told([("rule.any[0].value", "x"), ("hours", "y")]) == [("hours", "y"), ("rule", f"row 2: {words}")]
    alone = Builder.from_post({key.replace("1", "0"): text for key, text in rows.items() if "1" in key})
    assert alone.finished_part() is None


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rule=rules(), data=st.data())
def test_whatever_is_done_can_be_undone(rule: Rule, data: Any) -> None:
    verbs = st.sampled_from(["up", "down", "in", "out", "remove", "add", "group", "place"])
    start = dump(rule)
    actions = data.draw(
        st.lists(
            st.tuples(verbs, st.integers(0, 6), st.integers(0, 6)).map(lambda act: f"{act[0]}:{act[1]}:{act[2]}"),
            max_size=6,
        )
    )
    after = Builder.of(start)
    changes = 0
    for action in actions:
        before = after.rule()
        after.act(action)
        changes += after.rule() != before
    last = after.rule()
    for _ in range(changes):
        after.act("undo")
    assert after.rule() == start
    for _ in range(changes):
        after.act("redo")
    assert after.rule() == last


@pytest.mark.parametrize("template", templates.TEMPLATES, ids=lambda template: template.slug)
def test_each_template_is_a_rule(template: templates.Template) -> None:
    parse(template.rule)
    assert acted({"all": [A]}, f"template:{template.slug}") == template.rule


def test_a_rule_is_imported_from_json_or_refused_with_the_place() -> None:
    builder = Builder.of(True)
    builder.act("import", typed='{"not": {"attr": "person.citizenships", "op": "includes_any", "value": ["US"]}}')
    assert builder.rule() == templates.rule_of("foreign-nationals")
    for typed, place in (("{", "json"), ('{"attr": "person.shoe", "op": "is"}', "$.attr"), ("[" * 100_000, "json")):
        with pytest.raises(Invalid) as refused:
            builder.act("import", typed=typed)
        assert refused.value.errors[0][0] == place
    assert builder.rule() == templates.rule_of("foreign-nationals"), "a refusal changes nothing"


def test_what_comes_back_as_the_past_is_not_trusted() -> None:
    deep = "[" + '{"not":' * 60 + "true" + "}" * 60 + "]"
    long = json.dumps([{"all": [A] * 300}])
    for past in ("{", '["x"]', '[{"attr": 1}]', '[{"all": 1}]', "7", "null", deep, long):
        builder = Builder.from_post({"k0": "true", "d0": "0", "past": past})
        builder.act("undo")
        assert builder.rule() is True
