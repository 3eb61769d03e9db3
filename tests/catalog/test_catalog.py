"""The catalog: loaded whole or not at all, and never loosened sideways while a directive is in force."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest
import yaml
from django.db import DatabaseError, transaction

from governance.catalog import services as catalog
from governance.catalog.models import AIModel, ModelCapability
from governance.enforcement.decision import decide
from governance.enforcement.models import PolicyEpoch
from governance.enforcement.services import lifecycle
from governance.enforcement.services.catalog import import_catalog
from governance.enforcement.services.first_start import SCENARIO
from governance.errors import Invalid, PermissionRefused, Refused
from tests.conftest import REFERENCE
from tests.races import at_once

pytestmark = pytest.mark.django_db
DOCUMENT = yaml.safe_load((SCENARIO / "scenario.yaml").read_text())


def changed(**sections: Any) -> dict[str, Any]:
    document = copy.deepcopy({name: DOCUMENT[name] for name in ("providers", "capabilities", "models", "audiences")})
    return document | sections


def model(which: str, **changes: Any) -> list[dict[str, Any]]:
    found = copy.deepcopy(next(entry for entry in DOCUMENT["models"] if entry["slug"] == which))
    return [found | changes]


def capabilities(slug: str, **changes: Any) -> dict[str, Any]:
    return copy.deepcopy(next(entry for entry in DOCUMENT["models"] if entry["slug"] == slug)["capabilities"]) | changes


def test_loading_the_same_again_changes_nothing_not_even_the_epoch(machine: Any) -> None:
    before = PolicyEpoch.objects.get().value
    report = import_catalog(actor=machine, document=DOCUMENT)
    assert (report.created, report.updated) == (0, 0)
    assert PolicyEpoch.objects.get().value == before


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"models": [{"slug": "x", "name": "X", "provider": "nobody", "stage": "general"}]}, r"models\[0\].provider"),
        ({"models": [{"slug": "X y", "name": "X", "provider": "company", "stage": "general"}]}, r"models\[0\].slug"),
        ({"models": model("fable-5", stage="soon")}, r"models\[0\].stage"),
        ({"models": model("mythos-5", derived_from="fable-5")}, r"derived_from: a model cannot derive from itself"),
        ({"models": model("fable-5", capabilities={"flying": {"enabled": True}})}, r"capabilities.flying"),
        ({"capabilities": [{"slug": "x", "name": "X", "domain": "d", "tier": 5}]}, r"capabilities\[0\].tier"),
        ({"audiences": {"a": {"attr": "person.height", "op": "is", "value": 1}}}, r"audiences.a.attr"),
        ({"providers": "company"}, "providers"),
        ([], "mapping"),
    ],
)
def test_what_is_wrong_is_named_with_its_path_and_nothing_is_written(document: Any, path: str, machine: Any) -> None:
    with pytest.raises(Invalid, match=path):
        import_catalog(actor=machine, document=document)
    assert AIModel.objects.count() == 3


def test_only_the_machine_loads_the_catalog(act_as: Any) -> None:
    with pytest.raises(PermissionRefused):
        import_catalog(actor=act_as("lucia"), document=DOCUMENT)


def test_without_a_directive_in_force_an_audience_may_be_widened(machine: Any) -> None:
    import_catalog(actor=machine, document={"audiences": {"everyone": True}})
    assert decide("p018", "fable-5", "use").permit


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"audiences": {"internal-research": True}}, "widen the audience internal-research"),
        (
            {
                "models": model(
                    "fable-5",
                    capabilities=capabilities(
                        "fable-5", **{"biological-design": {"enabled": True, "audience": "everyone"}}
                    ),
                )
            },
            "enable fable-5/biological-design",
        ),
        (
            {
                "models": model(
                    "mythos-5", capabilities=capabilities("mythos-5", use={"enabled": True, "audience": "everyone"})
                )
            },
            "widen who may use mythos-5/use",
        ),
        ({"models": model("fable-5", derived_from=None)}, "cut the lineage of fable-5"),
        ({"providers": [{"slug": "openai", "name": "OpenAI", "own": True}]}, "decide on models of openai"),
    ],
)
def test_a_load_that_would_loosen_while_a_directive_is_in_force_is_refused_whole(
    document: Any, reason: str, machine: Any, in_force: Any
) -> None:
    with pytest.raises(Refused, match=reason):
        import_catalog(
            actor=machine,
            document=document | {"capabilities": [{"slug": "new", "name": "New", "domain": "d", "tier": 1}]},
        )
    assert not ModelCapability.objects.filter(capability__slug="new").exists()


def test_what_restricts_takes_effect_at_once(machine: Any, in_force: Any) -> None:
    narrower = {"all": [DOCUMENT["audiences"]["everyone"], {"attr": "person.kind", "op": "is", "value": "employee"}]}
    import_catalog(actor=machine, document={"audiences": {"everyone": narrower}})
    assert not decide("p034", "fable-5", "use").permit
    assert decide("p001", "fable-5", "use").permit


def test_a_model_derived_later_is_covered_by_lineage(machine: Any, in_force: Any) -> None:
    derived = model("fable-5", slug="fable-6", name="Fable 6", derived_from="fable-5")
    import_catalog(actor=machine, document={"models": derived})
    assert decide("p009", "fable-6", "use").code == "directive"
    assert decide("p001", "fable-6", "use").permit


def test_the_database_refuses_a_circle_of_models() -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        AIModel.objects.filter(slug="mythos-5").update(derived_from=AIModel.objects.get(slug="fable-5"))


def test_a_tier_is_not_lowered_while_a_directive_is_in_force(machine: Any, in_force: Any) -> None:
    """The tier sets the approval stages and the limit of exceptions."""
    entry = next(line for line in DOCUMENT["capabilities"] if line["slug"] == "vulnerability-discovery")
    with pytest.raises(Refused, match="lower the tier of vulnerability-discovery from 4 to 1"):
        import_catalog(actor=machine, document={"capabilities": [entry | {"tier": 1}]})
    new = {"slug": "new", "name": "New", "domain": "d", "tier": 1}
    import_catalog(actor=machine, document={"capabilities": [new]})
    import_catalog(actor=machine, document={"capabilities": [new | {"tier": 2}]})


def test_without_a_directive_in_force_a_tier_may_be_lowered(machine: Any) -> None:
    entry = next(line for line in DOCUMENT["capabilities"] if line["slug"] == "vulnerability-discovery")
    assert import_catalog(actor=machine, document={"capabilities": [entry | {"tier": 1}]}).updated == 1


def test_a_lineage_may_be_turned_round_in_one_file(machine: Any) -> None:
    models = model("mythos-5", derived_from="fable-5") + model("fable-5", derived_from=None)
    import_catalog(actor=machine, document={"models": models})
    parents = dict(AIModel.objects.values_list("slug", "derived_from__slug"))
    assert (parents["mythos-5"], parents["fable-5"]) == ("fable-5", None)


def test_a_load_that_would_loosen_and_an_activation_at_once_have_one_winner_or_an_order(
    committed: None, machine: Any, act_as: Any, monkeypatch: Any
) -> None:
    """The load has judged that no directive is in force when the activation begins: that one waits, and covers what came."""
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    planned, real, lucia = threading.Event(), catalog.apply_plan, act_as("lucia")
    wider = {"models": model("fable-5", slug="fable-6", name="Fable 6", derived_from="fable-5")}
    order: list[str] = []

    def apply_plan(**options: Any) -> Any:
        planned.set()
        threading.Event().wait(0.3)
        order.append("load")
        return real(**options)

    def activate() -> Any:
        planned.wait(10)
        done = lifecycle.activate(actor=lucia, reference=REFERENCE)
        order.append("activation")
        return done

    monkeypatch.setattr(catalog, "apply_plan", apply_plan)
    results = at_once(lambda: import_catalog(actor=machine, document=wider), activate)
    assert not [result for result in results if isinstance(result, Exception)], results
    assert order == ["load", "activation"]
    assert decide("p009", "fable-6", "use").code == "directive"
    with pytest.raises(Refused, match="cut the lineage"):
        import_catalog(actor=machine, document={"models": model("fable-5", derived_from=None)})
