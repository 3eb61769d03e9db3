"""What is said of a version as proved: *the same* and *adds nothing* only where nothing at all differs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.directives.models import Directive
from governance.enforcement import candidates, remarks, terms
from governance.enforcement import policy as policies
from governance.enforcement.policy import CompiledRule, DirectiveRule
from governance.enforcement.preview import Candidate
from governance.rules.analysis import Budget, Verdict
from governance.rules.closures import compile_closure
from tests.conftest import REFERENCE
from tests.directives import steps
from tests.extended import examples
from tests.rules.test_analysis import EVERYBODY, hard_rule, small

NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)
SOON, LATER = NOW + timedelta(days=3), NOW + timedelta(days=30)
CITIZENS = {"not": {"attr": "person.citizenships", "op": "includes_any", "value": ["US"]}}
FEWER = {"not": {"attr": "person.citizenships", "op": "includes_any", "value": ["US", "GB"]}}


def rule(document: Any = CITIZENS, *, scope: tuple[int, ...] = (1, 2), **changes: Any) -> DirectiveRule:
    found = DirectiveRule(
        directive_id=1, reference="NEW", title="", kind="order", effect="deny", rule=CompiledRule.of(document),
        on_unknown="deny", verify_deadline=None, effective_at=None, expires_at=None, waivable="authority",
        scope=frozenset(scope),
    )  # fmt: skip
    return replace(found, **changes)


def against(new: DirectiveRule, old: DirectiveRule) -> str:
    return remarks.against(new, old, "the version in force", NOW, Budget()).text


VERIFY: dict[str, Any] = {"on_unknown": "verify", "verify_deadline": SOON}


@pytest.mark.parametrize(
    ("old", "says"),
    [
        (VERIFY, "nobody is released. It stops whoever is not known; the version in force lets whoever is not known pass "
                 "until 23 June 2026 at 12:00 UTC."),
        ({"effect": "monitor"}, "nobody is released. It denies; the version in force only watches."),
        ({"expires_at": SOON}, "nobody is released. It has no end; the version in force ends on 23 June 2026 at 12:00 UTC."),
        ({"effective_at": LATER}, "nobody is released. It takes effect at once; the version in force takes effect on "
                                  "20 July 2026 at 12:00 UTC."),
        ({"waivable": "never"}, "whom it denies, and when, is the same. It admits waivers under the authority’s licence only; "
                                "the version in force admits no waivers."),
    ],
)  # fmt: skip
def test_a_version_with_the_same_rule_and_other_terms_is_not_called_the_same(old: dict[str, Any], says: str) -> None:
    assert (
        against(rule(), rule(**old))
        == f"Covers the same people and capabilities as the version in force, on other terms: {says}"
    )


def test_the_same_is_said_where_rule_scope_and_terms_are_the_same() -> None:
    for terms_of_both in ({}, VERIFY, {"effect": "monitor"}, {"expires_at": SOON}):
        found = against(rule(**terms_of_both), rule(**terms_of_both))
        assert found == "The same people, capabilities and terms as the version in force."
    assert against(rule(FEWER), rule()) == "Strictly narrower than the version in force: nobody is added."
    found = against(rule(scope=(1, 2, 3)), rule())
    assert (
        found == "Strictly wider than the version in force: nobody is released. Its scope has 1 model capability more."
    )


def test_a_narrower_rule_that_ends_later_adds_somebody() -> None:
    found = against(rule(FEWER, expires_at=LATER), rule(expires_at=SOON))
    assert found.startswith("Covers less than the version in force, on other terms. It ends on 20 July 2026")
    assert "nobody is added" not in found


def test_whoever_becomes_unknown_is_released_while_there_is_time_to_verify() -> None:
    asks_more = {"all": [CITIZENS, {"attr": "person.department", "op": "known"}]}
    known = {"any": [CITIZENS, {"not": {"attr": "person.protected_status", "op": "is", "value": True}}]}
    assert against(rule(asks_more, **VERIFY), rule(**VERIFY)).startswith("Strictly narrower")
    assert "nobody is added" not in against(rule(known, **VERIFY), rule(**VERIFY))


def beside(new: DirectiveRule, **other: Any) -> str:
    found = remarks._beside(new, rule(**{"directive_id": 2, "reference": "OLD", **other}), NOW, Budget())
    assert found is not None
    return found.text


NOTHING = "Adds nothing to OLD while that is in force: it covers everybody already."


def test_it_adds_nothing_only_beside_what_denies_the_same_people_at_every_moment_without_waivers() -> None:
    for more in ({}, {"document": True}, {"scope": (1, 2, 3)}):
        assert beside(rule(), waivable="never", **more) == NOTHING
    assert beside(rule(expires_at=SOON), waivable="never", expires_at=LATER) == NOTHING
    assert beside(rule(waivable="never"), waivable="authority") == (
        "Covers only people whom OLD covers already. It adds something for whoever has a waiver from OLD: that does not "
        "answer this one."
    )
    for terms_of_other, says in (
        (VERIFY, "OLD lets whoever is not known pass until 23 June 2026 at 12:00 UTC."),
        ({"effective_at": datetime(2030, 1, 1, tzinfo=UTC)}, "OLD takes effect on 1 January 2030 at 00:00 UTC."),
        ({"effect": "monitor"}, "OLD only watches."),
        ({"expires_at": SOON}, "OLD ends on 23 June 2026 at 12:00 UTC."),
    ):
        found = beside(rule(waivable="never"), waivable="never", **terms_of_other)
        assert found.startswith("Covers only people whom OLD covers, on other terms. It ")
        assert found.endswith(says)


TERMS = st.fixed_dictionaries(
    {
        "on_unknown": st.sampled_from(["deny", "allow", "verify"]),
        "verify_deadline": st.sampled_from([NOW - timedelta(days=1), SOON, LATER]),
        "effective_at": st.sampled_from([None, NOW - timedelta(days=1), SOON]),
        "expires_at": st.sampled_from([None, SOON, LATER]),
        "effect": st.sampled_from(["deny", "deny", "monitor"]),
    }
)


@settings(max_examples=examples(60), deadline=None)
@given(mine=small, theirs=small, my_terms=TERMS, their_terms=TERMS)
def test_who_is_ever_added_is_what_looking_at_everybody_at_every_moment_says(
    mine: Any, theirs: Any, my_terms: dict[str, Any], their_terms: dict[str, Any]
) -> None:
    new, old = rule(**my_terms), rule(**their_terms)
    new, old = replace(new, rule=CompiledRule(mine)), replace(old, rule=CompiledRule(theirs))
    hours = [NOW + timedelta(hours=12 * step) for step in range(70)]

    def denies(one: DirectiveRule, facts: Any, at: datetime) -> bool:
        counts = one.counts_at(at) and (one.effect == "deny" or new.effect == old.effect)
        truth = compile_closure(one.rule.tree)(facts)
        return counts and (truth is True or (truth is None and one.unknown_denies_at(at)))

    def ever(first: DirectiveRule, second: DirectiveRule) -> bool:
        moments = {(first.counts_at(at), first.unknown_denies_at(at), second.counts_at(at), second.unknown_denies_at(at)): at
                   for at in hours}.values()  # fmt: skip
        return any(denies(first, facts, at) and not denies(second, facts, at) for at in moments for facts in EVERYBODY)

    compared = terms.at_every_moment(new, old, NOW, Budget(60))
    assert bool(compared.added) is ever(new, old)
    assert bool(compared.released) is ever(old, new)


def test_when_the_time_is_up_nothing_is_claimed() -> None:
    spent = Budget(-1)
    assert terms.at_every_moment(rule(), rule(FEWER), NOW, spent).added.verdict is Verdict.UNDETERMINED
    for new in (rule(), rule(effect="monitor")):
        found = remarks.against(new, rule(), "the version in force", NOW, spent).text
        assert found.startswith("How it stands to the version in force could not be determined in time.")


@pytest.mark.django_db
def test_a_version_is_compared_with_the_one_in_force_and_not_with_one_that_was_rejected(
    act_as: Callable[[str], Any], in_force: Any
) -> None:
    steps.new_version(act_as, rule=steps.WIDER)
    steps.submit(act_as)
    steps.vote(act_as, verdict="reject")
    steps.change(act_as, rule=CITIZENS)
    version = Directive.objects.get(reference=REFERENCE).versions.get(number=3)
    found = [remark.text for remark in remarks.about(candidates.of_version(version))]
    assert found == ["The same people, capabilities and terms as the version in force."]


@pytest.mark.django_db
def test_the_proofs_of_a_page_share_one_budget_however_many_directives_there_are(
    in_force: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten hard directives in force, and a hard rule: what is not reached is said to be undetermined."""
    monkeypatch.setattr(remarks, "Budget", lambda: Budget(0.2))
    hard = CompiledRule(hard_rule(20))
    base = policies.refreshed()
    others = tuple(
        replace(base.directives[0], directive_id=900 + n, reference=f"HARD-{n}", rule=CompiledRule(hard_rule(20 + n)))
        for n in range(10)
    )
    monkeypatch.setattr(policies, "refreshed", lambda: replace(base, directives=others))
    version = Directive.objects.get(reference=REFERENCE).version_in_force
    asked = candidates.of_version(version)
    monkeypatch.setattr(
        candidates, "candidate", lambda _: Candidate("x", 1, "", replace(base.directives[0], rule=hard))
    )
    begun = time.monotonic()
    found = [remark.text for remark in remarks.about(asked)]
    assert time.monotonic() - begun < 1.2, "the rest is for a busy machine"
    assert "Whether every part of the rule matters could not be determined in time." in found
    assert "How it stands to HARD-9 could not be determined in time." in found
