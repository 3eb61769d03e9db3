"""A grant ends with departure, in the decision and in the SQL over everybody (docs/decisions/0009)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from governance.catalog.models import ModelCapability
from governance.enforcement.decision import decide
from governance.enforcement.population import who_can_use
from governance.people.models import HeldPerson, Person
from governance.waivers.models import Grant

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("to", ["person", "organisation"])
@pytest.mark.parametrize(
    ("status", "held", "permit"),
    [("active", None, True), ("departed", None, False), ("active", "departed", False), ("departed", "active", False)],
)
def test_whoever_has_left_is_permitted_nothing_by_a_grant(
    status: str, held: str | None, permit: bool, to: str, db: None
) -> None:
    """On record or in a held state: the stricter counts."""
    person = Person.objects.get(pk="p018")
    Person.objects.filter(pk="p018").update(status=status)
    if held:
        HeldPerson.objects.create(
            person=person, status=held, kind=person.kind, given_name="A", email="a@h.example", proposed_by="t",
            organisation=person.organisation,
        )  # fmt: skip
    moment = timezone.now()
    subject: dict[str, Any] = {"person": person} if to == "person" else {"organisation": person.organisation}
    Grant.objects.create(
        **subject,
        model_capability=ModelCapability.objects.get(model__slug="mythos-5", capability__slug="use"),
        starts_at=moment - timedelta(days=1),
        ends_at=moment + timedelta(days=1),
        reason="x",
    )
    decision = decide("p018", "mythos-5", "use")
    assert (decision.permit, decision.code) == ((True, "grant") if permit else (False, "outside_audience"))
    assert ("p018" in (who_can_use("mythos-5", "use") or ())) is permit
