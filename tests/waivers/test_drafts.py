"""Before an exception is filed: kept as typed, asked for by whoever lost access, and shown to nobody else."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction

from governance.accounts.models import User
from governance.accounts.services import deactivate
from governance.approvals.models import Request
from governance.directives.models import Directive
from governance.enforcement.services.exceptions import Wanted, ask_for_exception, file_exceptions
from governance.errors import Invalid, NotFound, PermissionRefused, Refused, WrongState
from governance.ledger.models import Entry
from governance.people.models import Person
from governance.waivers.models import ExceptionDraft, ExceptionRequest
from governance.waivers.queries import drafts_of
from governance.waivers.services import decline, delete_draft, save_draft, take_back
from tests.conftest import REFERENCE, put_in_force
from tests.races import at_once
from tests.waivers.test_exceptions import file

pytestmark = pytest.mark.django_db
ODD = {
    "people": ["p009"],
    "items": {"p009": ["no/such"]},
    "days": "soon",
    "reason": "ha",
    "mitigation": "",
    "licence": "",
}


def save(actor: Any, *people: str, key: Any = None, **values: Any) -> ExceptionDraft:
    people = people or ("p009",)
    return save_draft(
        actor=actor, key=key or uuid4(), directive=Directive.objects.get(reference=REFERENCE), person_ids=people,
        values=ODD | {"people": list(people)} | values,
    )  # fmt: skip


def ask(actor: Any, words: str = "The weekly evaluation stops.") -> ExceptionDraft:
    return ask_for_exception(actor=actor, reference=REFERENCE, words=words)


def file_it(actor: Any, draft: ExceptionDraft, *people: str) -> list[ExceptionRequest]:
    wanted = [Wanted(person, [("fable-5", "use")]) for person in people]
    return file_exceptions(actor=actor, reference=REFERENCE, wanted=wanted, days=7, reason="w", draft=draft.key)


def sees(name: str) -> set[Any]:
    return set(drafts_of(User.objects.get(username=name)).values_list("key", flat=True))


@pytest.fixture
def stranger(in_force: Any) -> Any:
    """Ella Tremblay, of a partner: covered, without a manager, with an account of her own."""
    from governance.accounts.actor import Actor

    return Actor.for_user(User.objects.create_user("ella", "ella.tremblay@example.net", "a long password for her"))


def test_what_is_typed_is_kept_whether_it_would_be_accepted_or_not(act_as: Any, in_force: Any) -> None:
    draft = save(act_as("hana"))
    draft = save(act_as("hana"), key=draft.key, days="²", reason="half a sen")
    assert ExceptionDraft.objects.get().values == ODD | {"days": "²", "reason": "half a sen"}
    assert not Request.objects.filter(kind="exception").exists()
    assert not ExceptionRequest.objects.exists()
    assert not Entry.objects.filter(action__startswith="exception.").exists()


def test_a_draft_is_its_authors_alone(act_as: Any, in_force: Any) -> None:
    draft = save(act_as("hana"))
    assert sees("hana") == {draft.key}
    for name in ("maren", "lucia", "wei", "auditor", "jonas", "idris"):
        assert not sees(name)
    with pytest.raises(NotFound):
        save(act_as("maren"), key=draft.key)
    for act in (delete_draft, lambda **given: decline(answer="no", **given), take_back):
        with pytest.raises(NotFound):
            act(actor=act_as("maren"), key=draft.key)
    delete_draft(actor=act_as("hana"), key=draft.key)
    assert not ExceptionDraft.objects.exists()


@pytest.mark.parametrize("people", [("p007",), ("p016",), ("p009", "p016"), ("nobody",)])
def test_a_draft_is_for_people_the_author_may_file_for(people: tuple[str, ...], act_as: Any, in_force: Any) -> None:
    with pytest.raises(PermissionRefused):
        save(act_as("hana"), *people)


def test_too_much_and_what_no_column_holds_is_refused(act_as: Any, in_force: Any) -> None:
    for reason in ("x" * 100_001, "\x00", "\ud800"):
        with pytest.raises(Invalid):
            save(act_as("hana"), reason=reason)


def test_a_filed_draft_is_over_and_a_late_save_does_not_bring_it_back(act_as: Any, in_force: Any) -> None:
    draft = save(act_as("hana"), "p009", "p010")
    filed = file_it(act_as("hana"), draft, "p009", "p010")
    assert len(filed) == 2
    assert not sees("hana")
    with pytest.raises(WrongState, match="over"):
        save(act_as("hana"), key=draft.key)
    assert ExceptionDraft.objects.get().values == {}


def test_a_refused_filing_leaves_the_draft(act_as: Any, in_force: Any) -> None:
    draft = save(act_as("hana"))
    with pytest.raises(Invalid):
        file_it(act_as("hana"), draft, "p009", "p011")
    assert sees("hana") == {draft.key}


def test_what_a_report_asks_for_waits_for_the_manager(act_as: Any, in_force: Any) -> None:
    draft = ask(act_as("wei"))
    assert draft.values["items"]["p009"]
    assert sees("hana") == {draft.key}
    for name in ("maren", "lucia", "wei", "jonas"):
        assert not sees(name)
    save(act_as("hana"), key=draft.key)
    (request,) = file_it(act_as("hana"), draft, "p009")
    assert (request.filer.username, request.person_id) == ("hana", "p009")
    draft.refresh_from_db()
    assert (draft.state, draft.exception_id, draft.author.username) == ("filed", request.pk, "hana")
    entry = Entry.objects.get(action="exception.asked_for")
    assert "evaluation" not in entry.record


def test_filing_past_what_was_asked_for_settles_it(act_as: Any, in_force: Any) -> None:
    draft = ask(act_as("wei"))
    request = file(act_as("hana"))
    draft.refresh_from_db()
    assert (draft.state, draft.exception_id) == ("filed", request.pk)
    assert not sees("hana")


def test_where_the_manager_has_no_account_it_waits_for_whoever_stands_above(act_as: Any, in_force: Any) -> None:
    draft = ask(act_as("wei"))
    deactivate(actor=act_as("admin"), username="hana")
    assert sees("maren") == {draft.key}
    assert not sees("lucia")
    assert file_it(act_as("maren"), draft, "p009")


def test_without_a_manager_it_waits_for_the_operators(stranger: Any, act_as: Any) -> None:
    draft = ask(stranger)
    assert sees("lucia") == sees("tomas") == {draft.key}
    for name in ("idris", "hana", "maren", "peter", "admin", "ella"):
        assert not sees(name)
    save(act_as("lucia"), "p029", key=draft.key)
    assert not sees("tomas")  # Lucía has it now
    with pytest.raises(NotFound):
        file_it(act_as("tomas"), draft, "p029")
    (request,) = file_it(act_as("lucia"), draft, "p029")
    assert request.filer.username == "lucia"


def test_a_manager_who_took_it_up_and_left_gives_it_free(act_as: Any, in_force: Any) -> None:
    draft = ask(act_as("wei"))
    save(act_as("hana"), key=draft.key)
    deactivate(actor=act_as("admin"), username="hana")
    assert sees("maren") == {draft.key}


def test_what_was_asked_for_stays_the_askers(act_as: Any, in_force: Any) -> None:
    draft = ask(act_as("wei"))
    with pytest.raises(Invalid, match="stays theirs"):
        save(act_as("hana"), "p010", key=draft.key)
    for people in (("p010",), ("p009", "p010")):
        with pytest.raises(Invalid, match="stays theirs"):
            file_it(act_as("hana"), draft, *people)
    assert not ExceptionRequest.objects.exists()
    with pytest.raises(WrongState, match="Decline"):
        delete_draft(actor=act_as("hana"), key=draft.key)


def test_nobody_completes_what_they_asked_for_whatever_writes_the_row(act_as: Any, in_force: Any) -> None:
    draft = ask(act_as("wei"))
    for act in (lambda: save(act_as("wei"), key=draft.key), lambda: file_it(act_as("wei"), draft, "p009")):
        with pytest.raises((PermissionRefused, NotFound)):
            act()
    with pytest.raises(DatabaseError, match="for themselves"), transaction.atomic():
        ExceptionDraft.objects.update(author=User.objects.get(username="wei"))


def test_an_answer_goes_to_the_asker_who_may_ask_again(act_as: Any, in_force: Any) -> None:
    draft = ask(act_as("wei"))
    with pytest.raises(WrongState, match="asked for that already"):
        ask(act_as("wei"))
    with pytest.raises(Invalid):
        decline(actor=act_as("hana"), key=draft.key, answer="  ")
    decline(actor=act_as("hana"), key=draft.key, answer="The work can wait until Monday.")
    draft.refresh_from_db()
    assert (draft.state, draft.answer) == ("declined", "The work can wait until Monday.")
    again = ask(act_as("wei"))
    take_back(actor=act_as("wei"), key=again.key)
    assert not sees("hana")
    with pytest.raises(Refused):
        file_it(act_as("hana"), again, "p009")


def test_nothing_is_asked_for_where_nothing_is_off_or_something_is_open(act_as: Any, in_force: Any) -> None:
    for words in ("", " ", "x" * 2_001):
        with pytest.raises(Invalid):
            ask(act_as("wei"), words)
    with pytest.raises(WrongState, match="Nothing is off"):
        ask(act_as("lucia"))
    with pytest.raises(PermissionRefused):
        ask(act_as("auditor"))
    file(act_as("hana"))
    with pytest.raises(WrongState, match="still open"):
        ask(act_as("wei"))


def test_two_operators_at_the_same_instant_take_it_up_once(committed: None, act_as: Any) -> None:
    from governance.accounts.actor import Actor

    put_in_force(act_as)
    assert Person.objects.get(pk="p029").manager_id is None
    draft = ask(
        Actor.for_user(User.objects.create_user("ella", "ella.tremblay@example.net", "a long password for her"))
    )
    lucia, tomas = act_as("lucia"), act_as("tomas")
    results = at_once(lambda: file_it(lucia, draft, "p029"), lambda: file_it(tomas, draft, "p029"))
    assert len([result for result in results if isinstance(result, Refused)]) == 1, results
    assert ExceptionRequest.objects.count() == 1
