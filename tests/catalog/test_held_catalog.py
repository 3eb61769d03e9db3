"""Changes of the catalog that loosen wait for a second person; until then decisions keep to the stricter of both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.catalog.models import AIModel, Audience, Capability, ModelCapability, Provider
from governance.enforcement import policy as policies
from governance.enforcement.decision import decide as decision
from governance.enforcement.models import HeldChange, HeldChangeVerdict
from governance.enforcement.population import who_can_use
from governance.enforcement.services import changes, runs
from governance.enforcement.services.catalog import import_catalog
from governance.enforcement.services.held import decide
from governance.errors import Invalid, NotFound, PermissionRefused, Refused, WrongState
from governance.ledger.models import Entry, OutboxEvent
from governance.people.models import Person
from governance.rules import language
from tests.catalog.test_catalog import capabilities, model
from tests.conftest import put_in_force
from tests.extended import examples
from tests.people.test_held import everything_permitted
from tests.races import at_once
from tests.rules.test_compilers_agree import rules

pytestmark = pytest.mark.django_db
OTHERS = {"attr": "person.kind", "op": "in", "value": ["contractor", "partner", "government", "customer"]}
EMPLOYEES = {"attr": "person.kind", "op": "is", "value": "employee"}
WIDER = {"audiences": {"internal-research": True}}


def seen(what: str, key: str) -> dict[str, Any]:
    return {"what": what, "key": key, "seen": HeldChange.objects.get(what=what, key=key).proposed_at.isoformat()}


def confirm(actor: Any, what: str, key: str, verdict: str = "confirm") -> None:
    decide(actor=actor, verdict=verdict, **seen(what, key))


def use(slug: str) -> set[str]:
    return set(who_can_use(slug, "use") or ())


@pytest.fixture
def research(machine: Any, in_force: Any) -> HeldChange:
    """Employees are let in, and a load that would let in everybody else instead is held."""
    Audience.objects.filter(slug="everyone").update(rule=EMPLOYEES)
    import_catalog(actor=machine, document={"audiences": {"everyone": OTHERS}}, hold=True)
    return HeldChange.objects.get()


def test_a_held_audience_lets_in_only_whom_both_admit(machine: Any, in_force: Any) -> None:
    alone = []
    wider = {"any": [{"all": [EMPLOYEES, {"attr": "person.location_country", "op": "is", "value": "US"}]}, OTHERS]}
    for rule in (wider, EMPLOYEES):
        Audience.objects.filter(slug="everyone").update(rule=rule)
        alone.append(use("fable-5"))
    report = import_catalog(actor=machine, document={"audiences": {"everyone": wider}}, hold=True)
    assert (report.held, report.updated) == (1, 0)
    assert use("fable-5") == alone[0] & alone[1]
    assert use("fable-5") < alone[1]  # what restricts does so at once
    assert alone[0] - alone[1]


def test_confirming_opens_it_and_moves_the_epoch(research: HeldChange, act_as: Any) -> None:
    assert not use("fable-5")  # nobody is both
    before = policies.refreshed().epoch
    confirm(act_as("peter"), "audience", "everyone")
    assert Audience.objects.get(slug="everyone").rule == OTHERS
    assert policies.refreshed().epoch > before
    assert use("fable-5")
    assert runs.measure_drift()[0].total == 0
    assert not HeldChange.objects.exists()
    entry = Entry.objects.get(action="held_change.confirmed")
    assert (entry.actor, entry.subject) == ("peter", "audience:everyone")
    assert OutboxEvent.objects.filter(topic="held_change.confirmed", key="audience:everyone").exists()
    assert HeldChangeVerdict.objects.get().decided_by.username == "peter"


def test_refusing_drops_it(research: HeldChange, act_as: Any) -> None:
    assert not use("fable-5")
    confirm(act_as("peter"), "audience", "everyone", "refuse")
    assert Audience.objects.get(slug="everyone").rule == EMPLOYEES
    assert use("fable-5")
    with pytest.raises(NotFound):
        decide(actor=act_as("peter"), verdict="confirm", what="audience", key="everyone", seen="")


def _may(name: str, held: HeldChange) -> bool:
    return User.objects.get(username=name).pk not in held.parties


@pytest.mark.parametrize(
    ("document", "what", "key"),
    [
        (WIDER, "audience", "internal-research"),
        (
            {
                "models": model(
                    "fable-5",
                    capabilities=capabilities(
                        "fable-5", **{"biological-design": {"enabled": True, "audience": "everyone"}}
                    ),
                )
            },
            "model_capability",
            "fable-5/biological-design",
        ),
        (
            {
                "models": model(
                    "mythos-5", capabilities=capabilities("mythos-5", use={"enabled": True, "audience": "everyone"})
                )
            },
            "model_capability",
            "mythos-5/use",
        ),
        ({"models": model("fable-5", derived_from=None)}, "lineage", "fable-5"),
        ({"providers": [{"slug": "openai", "name": "OpenAI", "own": True}]}, "provider", "openai"),
        (
            {"capabilities": [{"slug": "vulnerability-discovery", "name": "V", "domain": "d", "tier": 1}]},
            "tier",
            "vulnerability-discovery",
        ),
    ],
    ids=["audience", "enabled", "swapped", "lineage", "provider", "tier"],
)
def test_each_kind_is_held_tells_its_effect_and_has_it_once_confirmed(
    document: Any, what: str, key: str, machine: Any, act_as: Any, in_force: Any
) -> None:
    before = everything_permitted()
    new = {
        "capabilities": [*document.get("capabilities", []), {"slug": "new", "name": "New", "domain": "d", "tier": 1}]
    }
    report = import_catalog(actor=machine, document=document | new, hold=True)
    assert report.held == 1
    assert Capability.objects.filter(slug="new").exists()  # the rest of the file is loaded
    assert everything_permitted() == before
    held = HeldChange.objects.get()
    assert (held.what, held.key) == (what, key)
    effect = changes.effects([held])[held.pk][0]
    decider = next(name for name in ("peter", "idris", "teo") if _may(name, held))
    confirm(act_as(decider), what, key)
    opened = everything_permitted() - before
    assert (effect.opened.decisions, effect.opened.people) == (len(opened), len({one[0] for one in opened}))
    assert runs.measure_drift()[0].total == 0
    if what in ("audience", "model_capability"):
        assert opened


def test_a_lineage_that_is_held_keeps_both_parents_in_scope(machine: Any, act_as: Any, in_force: Any) -> None:
    import_catalog(actor=machine, document={"models": model("fable-5", derived_from=None)}, hold=True)
    assert decision("p009", "fable-5", "use").code == "directive"
    assert AIModel.objects.get(slug="fable-5").derived_from is not None
    derived = {"models": model("fable-5", slug="other", name="Other", derived_from=None)}
    import_catalog(actor=machine, document=derived)
    assert decision("p009", "other", "use").permit
    with pytest.raises(WrongState, match="held already"):
        import_catalog(actor=machine, document={"models": model("fable-5", derived_from=None)}, hold=True)


def test_a_second_proposal_and_a_load_that_would_loosen_are_refused_while_one_waits(
    research: HeldChange, machine: Any
) -> None:
    with pytest.raises(WrongState, match="audience everyone is held already"):
        import_catalog(actor=machine, document={"audiences": {"everyone": True}}, hold=True)
    with pytest.raises(Refused, match="widen the audience everyone"):
        import_catalog(actor=machine, document={"audiences": {"everyone": OTHERS}})
    assert HeldChange.objects.get().proposed == {"rule": OTHERS}


def test_what_is_loaded_beside_a_held_change_is_judged_by_the_stricter_state(
    research: HeldChange, machine: Any
) -> None:
    """The present audience alone would vouch for it; but nobody is let in by both."""
    items = capabilities("fable-5", use={"enabled": True, "audience": "staff"})
    document = {"audiences": {"staff": EMPLOYEES}, "models": model("fable-5", capabilities=items)}
    with pytest.raises(Refused, match="widen who may use fable-5/use"):
        import_catalog(actor=machine, document=document)


def test_a_decision_on_what_has_changed_since_is_refused(research: HeldChange, machine: Any, act_as: Any) -> None:
    with pytest.raises(WrongState, match="has changed"):
        decide(actor=act_as("peter"), what="audience", key="everyone", verdict="confirm", seen="earlier")
    import_catalog(actor=machine, document={"audiences": {"everyone": False}})  # tightens, so at once
    with pytest.raises(WrongState, match="changed since this was proposed"):
        confirm(act_as("peter"), "audience", "everyone")
    assert HeldChange.objects.exists()
    confirm(act_as("peter"), "audience", "everyone", "refuse")
    assert Audience.objects.get(slug="everyone").rule is False


def test_what_no_longer_fits_is_refused_whole(machine: Any, act_as: Any, in_force: Any) -> None:
    """The parent that is proposed derives from the model by now: putting it in force would close a circle."""
    import_catalog(actor=machine, document={"models": model("fable-5", derived_from=None, slug="fable-9", name="F")})
    import_catalog(actor=machine, document={"models": model("fable-5", derived_from="fable-9")}, hold=True)
    AIModel.objects.filter(slug="fable-9").update(derived_from=AIModel.objects.get(slug="fable-5"))
    with pytest.raises(WrongState, match="does not fit"):
        confirm(act_as("peter"), "lineage", "fable-5")
    assert HeldChange.objects.exists()


def test_a_file_whose_rest_would_close_a_circle_is_refused_with_the_reason(machine: Any, in_force: Any) -> None:
    turned = model("mythos-5", derived_from="fable-5") + model("fable-5", derived_from=None)
    with pytest.raises(Refused, match="close a circle"):
        import_catalog(actor=machine, document={"models": turned}, hold=True)
    assert not HeldChange.objects.exists()


# -- who decides -------------------------------------------------------------------------------------------------------


def test_nobody_decides_what_they_proposed_gain_by_or_have_no_right_to(research: HeldChange, act_as: Any) -> None:
    for name in ("lucia", "maren", "auditor", "admin", "hana", "anjali"):
        with pytest.raises(PermissionRefused):
            confirm(act_as(name), "audience", "everyone")
    with pytest.raises(Invalid):
        confirm(act_as("peter"), "audience", "everyone", "perhaps")
    assert not HeldChangeVerdict.objects.exists()


@pytest.fixture
def for_peter(machine: Any, in_force: Any) -> HeldChange:
    """A load that would let the people of the legal department, and among those who decide only peter, use more."""
    person = Person.objects.get(email="peter.osei@example.com")
    for name in ("idris.vale@example.com", "teo.martins@example.com"):
        Person.objects.filter(email=name).update(department="Elsewhere")
    Person.objects.filter(pk=person.pk).update(department="Export")
    audience = ModelCapability.objects.get(model__slug="mythos-5", capability__slug="use").audience
    rule = {"any": [audience.rule, {"attr": "person.department", "op": "is", "value": "Export"}]}
    assert not decision(person.pk, "mythos-5", "use").permit
    import_catalog(actor=machine, document={"audiences": {audience.slug: rule}}, hold=True)
    return HeldChange.objects.get()


def test_whoever_gains_by_it_does_not_decide_and_the_database_agrees(for_peter: HeldChange, act_as: Any) -> None:
    assert for_peter.parties == [User.objects.get(username="peter").pk]
    for verdict in ("confirm", "refuse"):
        with pytest.raises(PermissionRefused, match="would give you access"):
            confirm(act_as("peter"), "audience", for_peter.key, verdict)
    answer: dict[str, Any] = {
        "change": for_peter.pk, "what": "audience", "key": for_peter.key, "confirmed": True,
        "proposed_by": for_peter.proposed_by, "proposed_at": for_peter.proposed_at,
    }  # fmt: skip
    for name, differs in (
        ("peter", {}),
        ("lucia", {}),
        ("admin", {}),
        ("teo", {"proposed_by": "somebody else"}),
        ("teo", {"key": "everyone"}),
        ("teo", {"change": 0}),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            HeldChangeVerdict.objects.create(decided_by=User.objects.get(username=name), **(answer | differs))
    confirm(act_as("teo"), "audience", for_peter.key)


def test_somebody_who_gains_only_since_it_was_proposed_does_not_decide_either(
    for_peter: HeldChange, act_as: Any
) -> None:
    Person.objects.filter(email="teo.martins@example.com").update(department="Export")
    with pytest.raises(PermissionRefused, match="would give you access"):
        confirm(act_as("teo"), "audience", for_peter.key)
    confirm(act_as("idris"), "audience", for_peter.key)


def test_what_opens_to_everybody_who_could_decide_is_decided_all_the_same(
    machine: Any, act_as: Any, in_force: Any
) -> None:
    items = capabilities("fable-5", **{"biological-design": {"enabled": True, "audience": "everyone"}})
    import_catalog(actor=machine, document={"models": model("fable-5", capabilities=items)}, hold=True)
    held = HeldChange.objects.get()
    assert held.parties == []
    confirm(act_as("peter"), held.what, held.key)


def test_the_database_keeps_a_held_change_until_it_is_answered(research: HeldChange) -> None:
    for statement in (
        "DELETE FROM enforcement_heldchange",
        "UPDATE enforcement_heldchange SET proposed_by = 'somebody else'",
        "UPDATE enforcement_heldchange SET proposed = '{}'",
        "TRUNCATE enforcement_heldchange",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_one_operating_system_user_does_not_propose_and_decide(research: HeldChange, act_as: Any) -> None:
    User.objects.update(is_demo=False)
    peter = Actor.for_user(User.objects.get(username="peter"), via=research.proposed_by)
    with pytest.raises(PermissionRefused, match="You proposed it"):
        confirm(peter, "audience", "everyone")
    with pytest.raises(DatabaseError), transaction.atomic():
        HeldChangeVerdict.objects.create(
            change=research.pk, what="audience", key="everyone", confirmed=True, proposed_by=research.proposed_by,
            proposed_at=research.proposed_at, decided_by=peter.user, via=peter.via,
        )  # fmt: skip


def test_without_a_directive_in_force_nothing_is_held(machine: Any) -> None:
    assert import_catalog(actor=machine, document=WIDER, hold=True).held == 0
    assert Audience.objects.get(slug="internal-research").rule is True
    assert Provider.objects.exists()


# -- never wider than either -------------------------------------------------------------------------------------------


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=rules(), new=rules(), swapped=st.booleans())
def test_a_held_audience_never_permits_what_the_old_or_the_new_one_denies(
    old: Any, new: Any, swapped: bool, machine: Any, in_force: Any
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT example")
        try:
            documents = [language.dump(rule) for rule in (old, new)]
            assume(all(_stored(document) for document in documents))
            alone = []
            for rule in documents:
                Audience.objects.update(rule=rule)
                policies.forget()
                alone.append({name: use(name) for name in ("fable-5", "mythos-5")})
            Audience.objects.update(rule=documents[0])
            item = ModelCapability.objects.select_related("audience").get(model__slug="fable-5", capability__slug="use")
            if swapped:
                Audience.objects.create(slug="another", rule=documents[1])
                held = ("model_capability", "fable-5/use", {"enabled": True, "audience": "another"})
            else:
                held = ("audience", item.audience.slug, {"rule": documents[1]})
            HeldChange.objects.create(what=held[0], key=held[1], before={}, proposed=held[2], proposed_by="cli:test")
            policies.forget()
            assert use("fable-5") == alone[0]["fable-5"] & alone[1]["fable-5"]
            permitted = use("fable-5")
            for person in ("p001", "p009", "p029"):
                assert decision(person, "fable-5", "use").permit == (person in permitted)
        finally:
            cursor.execute("ROLLBACK TO SAVEPOINT example")
            policies.forget()


def _stored(document: Any) -> bool:
    """Whether a catalog would take it: ids do not stand beside sensitive attributes."""
    try:
        language.parse(document)
    except language.RuleError:
        return False
    return True


# -- at the same moment ------------------------------------------------------------------------------------------------


def test_two_who_confirm_at_once_have_one_winner(committed: None, machine: Any, act_as: Any) -> None:
    put_in_force(act_as)
    import_catalog(actor=machine, document={"models": model("fable-5", derived_from=None)}, hold=True)
    wanted = seen("lineage", "fable-5")
    actors = [act_as("peter"), act_as("teo"), act_as("idris")]
    results = at_once(*[lambda actor=actor: decide(actor=actor, verdict="confirm", **wanted) for actor in actors])
    assert sorted(str(type(result).__name__) for result in results) == ["NoneType", "NotFound", "NotFound"]
    assert HeldChangeVerdict.objects.count() == 1
    assert Entry.objects.filter(action="held_change.confirmed").count() == 1


def test_a_confirmation_and_a_second_proposal_at_once_have_an_order(committed: None, machine: Any, act_as: Any) -> None:
    """Whoever confirms confirms what they read: the other proposal was refused, or comes after it."""
    put_in_force(act_as)
    import_catalog(actor=machine, document=WIDER, hold=True)
    wanted = seen("audience", "internal-research")
    peter, second = act_as("peter"), {"any": [OTHERS, EMPLOYEES]}
    confirmed, proposed = at_once(
        lambda: decide(actor=peter, verdict="confirm", **wanted),
        lambda: import_catalog(actor=machine, document={"audiences": {"internal-research": second}}, hold=True),
    )
    assert confirmed is None
    rule = Audience.objects.get(slug="internal-research").rule
    if isinstance(proposed, WrongState):
        assert rule is True
    else:  # it came after: narrower than what was confirmed, so at once
        assert (proposed.held, rule) == (0, second)
    assert not HeldChange.objects.exists()


# -- command and page --------------------------------------------------------------------------------------------------


def test_the_command_refuses_or_holds(tmp_path: Path, in_force: Any, capsys: Any) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump(WIDER))
    with pytest.raises(SystemExit):
        call_command("import_catalog", str(file))
    assert "would widen the audience internal-research" in capsys.readouterr().err
    call_command("import_catalog", str(file), "--hold")
    assert "1 held for a second person" in capsys.readouterr().out
    assert HeldChange.objects.get().proposed_by.startswith("cli:")


def test_the_page_lists_each_with_its_effect_and_decides(
    for_peter: HeldChange, sign_in: Callable[[str], Client]
) -> None:
    shown = sign_in("teo").get("/held/?of=catalog").content.decode()
    opened = changes.effects([for_peter])[for_peter.pk][0].opened
    assert opened.people == 1
    for words in (
        for_peter.key,
        f"If confirmed: {opened.decisions}, of 1 person",
        "On record:",
        "Proposed:",
        "Confirm",
    ):
        assert words in shown
    assert "would give you access" in sign_in("peter").get("/held/?of=catalog").content.decode()
    assert "verdict" not in sign_in("auditor").get("/held/?of=catalog").content.decode()
    for name, status in (("hana", 403), ("admin", 403), ("lucia", 200)):
        assert sign_in(name).get("/held/?of=catalog").status_code == status
    sent = seen("audience", for_peter.key) | {"verdict": "confirm"}
    assert sign_in("lucia").post("/held/decide", sent).status_code == 403
    assert sign_in("peter").post("/held/decide", sent).status_code == 403
    assert sign_in("teo").post("/held/decide", sent | {"seen": "x"}).status_code == 409
    assert sign_in("teo").post("/held/decide", sent | {"key": "nothing"}).status_code == 404
    assert sign_in("teo").post("/held/decide", sent)["Location"] == "/held/?of=catalog"
    assert "Nothing is held" in sign_in("teo").get("/held/?of=catalog").content.decode()


def test_the_page_asks_as_many_questions_for_many_as_for_few(in_force: Any, sign_in: Callable[[str], Client]) -> None:
    client, counts = sign_in("teo"), []
    items = [f"{m}/{c}" for m, c in ModelCapability.objects.values_list("model__slug", "capability__slug")]
    for keys in (items[:1], items[1:7]):
        for key in keys:
            HeldChange.objects.create(
                what="model_capability", key=key, before={"enabled": False, "audience": None},
                proposed={"enabled": True, "audience": "everyone"}, proposed_by="cli:test",
            )  # fmt: skip
        client.get("/held/?of=catalog")
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/held/?of=catalog").status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1]
