"""A person does not take their waiver on its conditions: it ends, nothing opens, and only their own word does that."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from governance.enforcement.decision import decide
from governance.errors import Invalid, NotFound, WrongState
from governance.ledger.models import Entry, OutboxEvent
from governance.waivers import services
from governance.waivers.models import ExceptionRequest, Waiver
from tests.conftest import put_in_force
from tests.races import at_once
from tests.waivers.test_exceptions import file
from tests.waivers.test_life import accept, accepting
from tests.waivers.test_races import refusals

pytestmark = pytest.mark.django_db


def decline(actor: Any, request: ExceptionRequest, **changes: Any) -> ExceptionRequest:
    given = {"digest": request.conditions_digest, "words": "Nobody can sit with me."} | changes
    return services.decline_conditions(actor=actor, exception_id=request.pk, **given)


def test_it_ends_the_exception_and_opens_nothing(act_as: Any, in_force: Any) -> None:
    request = accepting(act_as)
    decline(act_as("wei"), request)
    request.refresh_from_db()
    assert (request.state, request.close_reason) == ("declined", "Nobody can sit with me.")
    assert not Waiver.objects.exists()
    assert decide("p009", "fable-5", "use").code == "directive"
    assert Entry.objects.get(action="exception.conditions_declined").actor == "wei"
    assert "Nobody" not in Entry.objects.get(action="exception.conditions_declined").record
    assert OutboxEvent.objects.filter(topic="exception.conditions_declined").count() == 1
    for again in (lambda: decline(act_as("wei"), request), lambda: accept(act_as, request)):
        with pytest.raises(WrongState, match="does not wait for you"):
            again()
    with pytest.raises(WrongState, match="conditions not accepted"):
        services.withdraw_exception(actor=act_as("hana"), exception_id=request.pk)
    file(act_as("hana"), days=5)  # the same can be asked for again


def test_only_the_person_declines_and_only_what_was_read(act_as: Any, in_force: Any) -> None:
    request = accepting(act_as)
    for name in ("hana", "idris", "peter", "lucia", "admin", "jonas"):
        with pytest.raises(NotFound):
            decline(act_as(name), request)
    with pytest.raises(WrongState, match="not the conditions"):
        decline(act_as("wei"), request, digest="0" * 64)
    for words in ("x" * 301, "a\x00"):
        with pytest.raises(Invalid) as refused:
            decline(act_as("wei"), request, words=words)
        assert refused.value.errors[0][0] == "words"
    request.refresh_from_db()
    assert request.state == "accepting"


def test_the_database_lets_nothing_become_of_it(act_as: Any, in_force: Any) -> None:
    still_open, request = file(act_as("hana"), "p010"), accepting(act_as)

    def moved(pk: int, state: str) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE waivers_exceptionrequest SET state = %s WHERE id = %s", [state, pk])

    with pytest.raises(DatabaseError, match="Invalid transition"):
        moved(still_open.pk, "declined")
    decline(act_as("wei"), request)
    for state in ("open", "approved", "accepting", "waiting"):
        with pytest.raises(DatabaseError):
            moved(request.pk, state)


def test_accepting_and_declining_at_once_come_to_one_of_both(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    request, wei = accepting(act_as), act_as("wei")
    digest = request.conditions_digest
    results = at_once(
        lambda: services.accept_conditions(actor=wei, exception_id=request.pk, digest=digest),
        lambda: services.decline_conditions(actor=wei, exception_id=request.pk, digest=digest),
        lambda: services.withdraw_exception(actor=act_as("hana"), exception_id=request.pk),
    )
    assert len(refusals(results)) == 2
    request.refresh_from_db()
    assert (request.state == "approved") == Waiver.objects.exists()


def test_the_page_says_so_to_the_person_and_to_the_filer(sign_in: Any, act_as: Any, in_force: Any) -> None:
    request = accepting(act_as)
    wei: Client = sign_in("wei")
    assert "I do not accept them" in wei.get("/my-access").content.decode()
    where = f"/exceptions/{request.pk}/decline"
    assert sign_in("hana").post(where, {"digest": request.conditions_digest}).status_code == 404
    assert wei.post(where, {"digest": "stale"}).status_code == 409
    shown = wei.post(where, {"digest": request.conditions_digest, "words": "Not alone."}, follow=True)
    assert f"You did not accept the conditions of exception {request.pk}" in shown.content.decode()
    page = sign_in("hana").get(f"/exceptions/{request.pk}/").content.decode()
    assert "Wei did not accept the conditions" in page
    assert "“Not alone.”" in page
    assert "You can ask again on other conditions." in page
