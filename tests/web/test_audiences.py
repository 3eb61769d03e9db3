"""Editing audiences: by stewards of every model that uses one; what restricts at once, what loosens after a second person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from governance.accounts import objects
from governance.accounts.object_services import give, take
from governance.catalog.models import AIModel, Audience, ModelCapability
from governance.enforcement import audiences
from governance.enforcement.decision import decide as decision
from governance.enforcement.models import HeldChange
from governance.enforcement.population import who_can_use
from governance.enforcement.services.audiences import change_audience
from governance.enforcement.services.catalog import import_catalog
from governance.enforcement.services.held import decide
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.ledger.models import Entry
from tests.conftest import put_in_force
from tests.races import at_once

pytestmark = pytest.mark.django_db
EMPLOYEES = {"attr": "person.kind", "op": "is", "value": "employee"}


def audience() -> Audience:
    return Audience.objects.get(slug="fable-people")


@pytest.fixture
def steward(machine: Any) -> str:
    """jonas is steward of fable-5, whose use has an audience of its own: the employees."""
    own = Audience.objects.create(slug="fable-people", rule=EMPLOYEES)
    ModelCapability.objects.filter(model__slug="fable-5", capability__slug="use").update(audience=own)
    give(actor=machine, permission=objects.STEWARD, thing=AIModel.objects.get(slug="fable-5"), account="jonas")
    return "jonas"


def form() -> dict[str, str]:
    """The form as it stands for EMPLOYEES."""
    row = {"d0": "0", "k0": "leaf", "a0": "person.kind", "o0": "is", "v0": "employee"}
    return row | {"seen": audiences.digest_of(audience())}


def edit(actor: Any, rule: Any, slug: str = "fable-people") -> bool:
    seen = audiences.digest_of(Audience.objects.get(slug=slug))
    return change_audience(actor=actor, slug=slug, rule=rule, seen=seen)


def test_a_steward_narrows_it_at_once_and_widens_it_only_with_a_second_person(
    steward: str, act_as: Any, in_force: Any
) -> None:
    narrower = {"all": [EMPLOYEES, {"attr": "person.location_country", "op": "is", "value": "US"}]}
    before = set(who_can_use("fable-5", "use") or ())
    assert edit(act_as(steward), narrower) is False
    after = set(who_can_use("fable-5", "use") or ())
    assert after < before
    assert Entry.objects.get(action="audience.changed").subject == "audience:fable-people"
    assert edit(act_as(steward), EMPLOYEES) is True
    assert set(who_can_use("fable-5", "use") or ()) == after
    held = HeldChange.objects.get()
    assert held.proposed_by == steward
    answer = {"what": held.what, "key": held.key, "seen": held.proposed_at.isoformat(), "verdict": "confirm"}
    with pytest.raises(PermissionRefused):
        decide(actor=act_as(steward), **answer)
    decide(actor=act_as("peter"), **answer)
    assert set(who_can_use("fable-5", "use") or ()) == before


def test_without_a_directive_in_force_it_is_changed_at_once(steward: str, act_as: Any) -> None:
    assert edit(act_as(steward), True) is False
    assert audience().rule is True


def test_only_a_steward_of_every_model_that_uses_it_edits_it(steward: str, act_as: Any, machine: Any) -> None:
    for name in ("lucia", "admin", "hana", "idris"):
        with pytest.raises((PermissionRefused, NotFound)):
            edit(act_as(name), True)
    ModelCapability.objects.filter(model__slug="mythos-5", capability__slug="use").update(audience=audience())
    with pytest.raises(PermissionRefused, match="used by mythos-5, too"):
        edit(act_as(steward), True)
    give(actor=machine, permission=objects.STEWARD, thing=AIModel.objects.get(slug="mythos-5"), account="jonas")
    edit(act_as(steward), True)
    take(actor=machine, permission=objects.STEWARD, thing=AIModel.objects.get(slug="fable-5"), account="jonas")
    with pytest.raises(PermissionRefused, match="used by fable-5, too"):
        edit(act_as(steward), EMPLOYEES)


def test_a_model_that_would_use_it_by_what_is_held_counts_too(
    steward: str, act_as: Any, machine: Any, in_force: Any
) -> None:
    HeldChange.objects.create(
        what="model_capability", key="mythos-5/use", before={}, proposed={"enabled": True, "audience": "fable-people"},
        proposed_by="cli:test",
    )  # fmt: skip
    with pytest.raises(PermissionRefused, match="used by mythos-5, too"):
        edit(act_as(steward), False)


def test_what_is_odd_is_refused(steward: str, act_as: Any, in_force: Any) -> None:
    actor = act_as(steward)
    for rule in ({"attr": "person.height", "op": "is", "value": 1}, {"attr": "person.kind"}, "x", None, EMPLOYEES):
        with pytest.raises(Invalid):
            edit(actor, rule)
    with pytest.raises(NotFound):
        change_audience(actor=actor, slug="nothing", rule=True, seen="")
    with pytest.raises(NotFound):
        change_audience(actor=actor, slug="everyone-else", rule=True, seen="")
    with pytest.raises(WrongState, match="since you read it"):
        change_audience(actor=actor, slug="fable-people", rule=True, seen="earlier")
    assert edit(actor, True)
    with pytest.raises(WrongState, match="held already"):
        edit(actor, {"any": [EMPLOYEES, {"attr": "person.kind", "op": "is", "value": "contractor"}]})
    assert audience().rule == EMPLOYEES


def test_two_editors_at_once_do_not_overwrite_one_another(committed: None, machine: Any, act_as: Any) -> None:
    own = Audience.objects.create(slug="fable-people", rule=EMPLOYEES)
    ModelCapability.objects.filter(model__slug="fable-5", capability__slug="use").update(audience=own)
    for name in ("jonas", "hana"):
        give(actor=machine, permission=objects.STEWARD, thing=AIModel.objects.get(slug="fable-5"), account=name)
    put_in_force(act_as)
    seen, first, second = audiences.digest_of(own), act_as("jonas"), act_as("hana")
    results = at_once(
        lambda: change_audience(actor=first, slug="fable-people", rule=False, seen=seen),
        lambda: change_audience(actor=second, slug="fable-people", rule={"all": [EMPLOYEES, False]}, seen=seen),
    )
    assert sorted(type(result).__name__ for result in results) == ["WrongState", "bool"]


# -- pages -------------------------------------------------------------------------------------------------------------


def test_the_pages_are_for_those_who_view_directives_and_for_stewards(
    steward: str, sign_in: Callable[[str], Client], in_force: Any
) -> None:
    for name, status, one in (("lucia", 200, 200), ("jonas", 200, 200), ("hana", 403, 404), ("admin", 403, 404)):
        client = sign_in(name)
        assert client.get("/audiences/").status_code == status
        assert client.get("/audiences/fable-people/").status_code == one
    jonas = sign_in("jonas")
    assert "internal-research" not in jonas.get("/audiences/").content.decode()
    assert jonas.get("/audiences/internal-research/").status_code == 404
    assert "Save" not in sign_in("lucia").get("/audiences/fable-people/").content.decode().split("<main")[1]
    assert sign_in("lucia").post("/audiences/fable-people/", {"k0": "true"}).status_code == 403


def test_the_form_says_who_gains_and_who_loses_before_it_is_saved(
    steward: str, sign_in: Callable[[str], Client], in_force: Any
) -> None:
    client = sign_in(steward)
    page = client.get("/audiences/fable-people/").content.decode()
    assert 'name="v0" value="employee"' in page
    assert f'name="seen" value="{audiences.digest_of(audience())}"' in page
    rows = form()
    other = rows | {"v0": "partner"}
    shown = client.post("/audiences/fable-people/preview", other).content.decode()
    effect = audiences.effect(audience(), EMPLOYEES | {"value": "partner"})
    assert f"<b>{effect.opened.people}</b>" in shown
    assert f"<b>{effect.closed.people}</b>" in shown
    assert "waits for a second person" in shown
    assert not HeldChange.objects.exists()
    assert client.post("/audiences/fable-people/", other | {"do": "none"}).status_code == 200
    assert client.post("/audiences/fable-people/", other).status_code == 302
    assert HeldChange.objects.get().proposed["rule"] == EMPLOYEES | {"value": "partner"}
    assert not decision("p001", "fable-5", "use").permit  # shut out at once
    assert "A change is held" in client.get("/audiences/fable-people/").content.decode()
    again = client.post("/audiences/fable-people/", rows | {"v0": "customer"})
    assert again.status_code == 409
    assert 'value="customer"' in again.content.decode()
    assert client.post("/audiences/fable-people/", rows | {"o0": "is", "v0": "nobody"}).status_code == 422


def test_figures_of_sensitive_values_are_for_those_who_may_reveal_them(
    steward: str, sign_in: Callable[[str], Client], in_force: Any
) -> None:
    client = sign_in(steward)
    rows = form()
    asked = rows | {"a0": "person.citizenships", "o0": "includes_any", "v0": "Iran"}
    shown = client.post("/audiences/fable-people/preview", asked).content.decode()
    assert "which you may not reveal" in shown
    assert "gain access:" not in shown


def test_the_machine_loads_beside_the_editors(steward: str, machine: Any, act_as: Any, in_force: Any) -> None:
    edit(act_as(steward), True)
    report = import_catalog(actor=machine, document={"audiences": {"fable-people": False}})
    assert report.updated == 1
    assert not who_can_use("fable-5", "use")
