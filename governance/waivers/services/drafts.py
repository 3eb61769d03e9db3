"""Requests before they are filed: kept as typed, asked for by whoever lost access, filed, declined, taken back or deleted.

Whether somebody's access is off is for ``enforcement.services.exceptions`` to know, which calls ``ask`` here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.directives.models import Directive
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.ledger import services as ledger
from governance.moments import now
from governance.people.models import Person
from governance.values import Unfit, plain, text
from governance.waivers import queries
from governance.waivers.attachments import Attached
from governance.waivers.models import ExceptionDraft, ExceptionRequest
from governance.waivers.services.requests import NOT_YOURS
from governance.waivers.states import DraftState

_LARGEST = 100_000  # characters of what was typed
_LONGEST_WORDS = 2_000
MOST_PEOPLE = 50


@transaction.atomic
def save_draft(
    *,
    actor: Actor,
    key: UUID,
    directive: Directive,
    person_ids: Sequence[str],
    values: Mapping[str, Any],
    attached: Sequence[Attached] | None = None,
) -> ExceptionDraft:
    """Keep what was typed, acceptable or not; whoever saves what somebody asked for takes it up.

    The key comes with the form, so that two saves on their way at once are of one draft. ``attached`` replaces the files of the
    draft, if given.
    """
    user = _account(actor)
    _refuse_strangers(user, person_ids)
    values = _storable(values)
    draft = _lock(user, key)
    if draft is None:
        draft = ExceptionDraft(key=key, directive=directive, created_at=now())
    elif draft.asked_by_id is not None and list(person_ids) != [draft.asked_by_id]:
        raise Invalid("A request that somebody asked for stays theirs.", [("person", "cannot be changed")])
    draft.directive, draft.author, draft.values, draft.changed_at = directive, user, values, now()
    if attached is not None:
        draft.attachments = [one.as_json() for one in attached]
    try:
        with transaction.atomic():
            draft.save()
    except IntegrityError:  # somebody else's draft has that key
        raise NotFound("There is no such draft.") from None
    return draft


@transaction.atomic
def delete_draft(*, actor: Actor, key: UUID) -> None:
    """Throw away a draft of one's own. What somebody asked for is declined instead, with an answer."""
    draft = _of(actor, key)
    if draft.asked_by_id is not None:
        raise WrongState(f"{draft.asked_by} asked for this. Decline it with an answer instead.")
    draft.delete()


@transaction.atomic
def ask(*, actor: Actor, directive: Directive, person: Person, words: str, values: Mapping[str, Any]) -> ExceptionDraft:
    """Somebody whose access is off asks for an exception; their manager or the operators complete and file it."""
    user = _account(actor)
    draft = ExceptionDraft(
        key=uuid4(), directive=directive, asked_by=person, asked_for=_words("words", words, _LONGEST_WORDS),
        values=_storable(values), created_at=now(), changed_at=now(),
    )  # fmt: skip
    try:
        with transaction.atomic():
            draft.save()
    except IntegrityError:
        raise WrongState("You have asked for that already, and nobody has decided to file it yet.") from None
    _record(actor, draft, "asked_for", account=user.username)
    return draft


@transaction.atomic
def take_back(*, actor: Actor, key: UUID) -> ExceptionDraft:
    """Whoever asked does not want it any more."""
    user = _account(actor)
    draft = _locked(key)
    person = queries.people.person_of(user)
    if draft is None or person is None or draft.asked_by_id != person.pk:
        raise NotFound("There is no such request.")
    return _finish(actor, draft, DraftState.TAKEN_BACK, "")


@transaction.atomic
def decline(*, actor: Actor, key: UUID, answer: str) -> ExceptionDraft:
    """Whoever could file what somebody asked for does not; the answer is for the person who asked."""
    draft = _of(actor, key)
    if draft.asked_by_id is None:
        raise WrongState("Nobody asked for this; delete it.")
    return _finish(actor, draft, DraftState.DECLINED, _words("answer", answer, 300))


@transaction.atomic
def draft_to_go_on_with(*, actor: Actor, key: UUID) -> ExceptionDraft:
    """A draft that the account may go on with, locked. Raises ``NotFound``, or ``WrongState`` for one of its own that is over."""
    return _of(actor, key)


def mark_filed(actor: Actor, key: UUID, directive: Directive, filed: Sequence[ExceptionRequest]) -> None:
    """The draft became these requests, in the caller's transaction.

    Its row stays, emptied and also where nothing had been saved yet: a save that was on its way is refused by it.
    """
    user = _account(actor)
    draft = _lock(user, key) or ExceptionDraft(key=key, directive=directive, author=user, created_at=now())
    request = filed[0]
    if draft.asked_by_id is not None and [one.person_id for one in filed] != [draft.asked_by_id]:
        raise Invalid("A request that somebody asked for stays theirs.", [("person", "cannot be changed")])
    draft.author, draft.exception, draft.values, draft.attachments = user, request, {}, []
    _finish(actor, draft, DraftState.FILED, "")


def settle_asks(actor: Actor, filed: Sequence[ExceptionRequest]) -> None:
    """What somebody asked for is filed, too, when it was filed without opening what they wrote."""
    for request in filed:
        asks = ExceptionDraft.objects.select_for_update().filter(
            directive=request.directive, asked_by=request.person, state=DraftState.DRAFT
        )
        for draft in asks:  # one at most: a constraint holds that
            draft.author, draft.exception, draft.values, draft.attachments = request.filer, request, {}, []
            _finish(actor, draft, DraftState.FILED, "")


def _finish(actor: Actor, draft: ExceptionDraft, state: DraftState, answer: str) -> ExceptionDraft:
    if draft.state != DraftState.DRAFT:
        raise WrongState(f"This is over already: {draft.get_state_display().lower()}.")
    draft.state, draft.answer, draft.changed_at = state, answer, now()
    draft.save()
    if state != DraftState.FILED:
        _record(actor, draft, str(state))
    elif draft.asked_by_id is not None:  # the filing has an entry of its own
        _publish(actor, draft, "ask_filed")
    return draft


def _of(actor: Actor, key: UUID) -> ExceptionDraft:
    draft = _lock(_account(actor), key)
    if draft is None:
        raise NotFound("There is no such draft.")
    return draft


def _lock(user: User, key: UUID) -> ExceptionDraft | None:
    """The draft, locked; None if there is none. Somebody else's is not found, a finished one is named as such."""
    draft = _locked(key)
    if draft is None:
        return None
    if draft.state != DraftState.DRAFT and draft.author_id == user.pk:
        what = f"exception {draft.exception_id}" if draft.exception_id else draft.get_state_display().lower()
        raise WrongState(f"This draft is over: {what}.", code="closed")
    if not queries.drafts_of(user).filter(pk=key).exists():
        raise NotFound("There is no such draft.")
    return draft


def _locked(key: UUID) -> ExceptionDraft | None:
    found = ExceptionDraft.objects.select_for_update(of=("self",)).select_related("asked_by", "directive")
    return found.filter(pk=key).first()


def _account(actor: Actor) -> User:
    if actor.user is None or not actor.user.is_active:
        raise PermissionRefused("This needs an account that is active.")
    return actor.user


def _refuse_strangers(user: User, person_ids: Sequence[str]) -> None:
    wanted = set(person_ids)
    if not wanted:
        raise Invalid("Name somebody.", [("person", "is required")])
    if len(wanted) > MOST_PEOPLE:
        raise Invalid("Too many people.", [("person", f"at most {MOST_PEOPLE} people at once")])
    if queries.people_to_file_for(user).filter(pk__in=wanted).count() < len(wanted):
        raise PermissionRefused(NOT_YOURS)


def _storable(values: Mapping[str, Any]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = plain(values)
    except Unfit as unfit:
        raise Invalid("What was typed cannot be kept.", [(unfit.path.lstrip("."), unfit.reason)]) from None
    if len(json.dumps(found)) > _LARGEST:
        raise Invalid("What was typed is too long to be kept.", [("reason", "is too long")])
    return found


def _words(field: str, given: str, limit: int) -> str:
    try:
        words = text(given, limit).strip()
    except Unfit as unfit:
        raise Invalid("The text is not acceptable.", [(field, unfit.reason)]) from None
    if not words:
        raise Invalid("Something has to be said.", [(field, "is required")])
    return words


def _record(actor: Actor, draft: ExceptionDraft, act: str, **data: Any) -> None:
    subject = f"exception-draft:{draft.key}"
    ledger.append(
        action=f"exception.{act}", actor=actor.name, via=actor.via, subject=subject,
        also=[draft.directive.subject, f"person:{draft.asked_by_id}"], data=data,
    )  # fmt: skip
    _publish(actor, draft, act)


def _publish(actor: Actor, draft: ExceptionDraft, act: str) -> None:
    payload = {"draft": str(draft.key), "directive": draft.directive.reference, "by": actor.name}
    ledger.publish(topic=f"exception.{act}", key=f"exception-draft:{draft.key}", payload=payload)
