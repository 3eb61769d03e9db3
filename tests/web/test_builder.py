"""The rule builder edits any rule: what its buttons do, taken back by undo, and every rule survives the form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.errors import Invalid
from governance.rules import templates
from governance.rules.language import Rule, dump, parse
from governance.web.builder import Builder
from tests.extended import examples
from tests.rules.test_compilers_agree import rules

pytestmark = pytest.mark.django_db
A, B, C = ({"attr": "person.kind", "op": "is", "value": kind} for kind in ("employee", "partner", "customer"))


def posted(builder: Builder) -> dict[str, str]:
    """What the form would send back."""
    values = {"past": builder.past_json}
    for index, row in enumerate(builder.rows):
        values |= {f"k{index}": row.kind, f"d{index}": str(row.depth)}
        if row.kind == "leaf":
            values |= {f"a{index}": row.attr, f"o{index}": row.op, f"v{index}": row.value}
    return values


def acted(rule: Any, *actions: str) -> Any:
    builder = Builder.of(rule)
    for action in actions:
        builder = Builder.from_post(posted(builder))
        builder.act(action)
    return builder.rule()


@settings(max_examples=examples(50), deadline=None)
@given(rule=rules())
def test_every_rule_survives_the_form(rule: Rule) -> None:
    document = dump(rule)
    assert Builder.from_post(posted(Builder.of(document))).rule() == document


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
    ],
)
def test_rows_move_within_groups_and_between_them(rule: Any, action: str, after: Any) -> None:
    assert acted(rule, action) == after


def test_undo_goes_back_one_change_at_a_time() -> None:
    start = {"all": [A, B, C]}
    assert acted(start, "remove:1", "up:2", "undo") == {"all": [B, C]}
    assert acted(start, "remove:1", "up:2", "undo", "undo") == start
    assert acted(start, "remove:1", "undo", "undo") == start
    assert acted(start, "template:pause", "undo") == start


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rule=rules(), data=st.data())
def test_whatever_is_done_can_be_undone(rule: Rule, data: Any) -> None:
    verbs = st.sampled_from(["up", "down", "in", "out", "remove", "add", "group"])
    start = dump(rule)
    actions = data.draw(
        st.lists(st.tuples(verbs, st.integers(0, 6)).map(lambda pair: f"{pair[0]}:{pair[1]}"), max_size=6)
    )
    after = Builder.of(start)
    changes = 0
    for action in actions:
        before = after.rule()
        after.act(action)
        changes += after.rule() != before
    for _ in range(changes):
        after.act("undo")
    assert after.rule() == start


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
    for past in ("{", '["x"]', '[{"attr": 1}]', "7", "null"):
        builder = Builder.from_post({"k0": "true", "d0": "0", "past": past})
        builder.act("undo")
        assert builder.rule() is True
