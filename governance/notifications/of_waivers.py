"""Whom events about exceptions, their drafts, waivers and break-glass concern, and in which words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from governance.accounts import queries as accounts
from governance.accounts.models import User
from governance.approvals import queries as approvals
from governance.approvals.states import RequestState
from governance.notifications.models import Kind, Notification
from governance.notifications.told import Told
from governance.people import queries as people
from governance.people.models import Person
from governance.waivers import queries
from governance.waivers.models import BreakGlass, ExceptionDraft, ExceptionRequest, Verdict, Waiver
from governance.waivers.states import ExceptionState


def _accounts_of(*persons: Person | None) -> QuerySet[User]:
    addresses = [one.email.lower() for one in persons if one is not None]
    return User.objects.annotate(address=Lower("email")).filter(address__in=addresses, is_active=True)


# -- what somebody asks to be filed for them ---------------------------------------------------------------------------


def _draft(payload: dict[str, Any]) -> ExceptionDraft | None:
    return ExceptionDraft.objects.select_related("asked_by", "directive").filter(pk=payload.get("draft")).first()


def _asked_for(payload: dict[str, Any]) -> Iterable[Told]:
    """Whoever may complete and file it, if nobody has decided since."""
    draft = _draft(payload)
    if draft is None or draft.asked_by is None:
        return
    title = f"{draft.asked_by.name} asks you for an exception from {draft.directive.reference}"
    for user_id in queries.may_go_on_with(draft).values_list("pk", flat=True):
        yield Told(user_id, Kind.DECISION, _subject(draft), title)


def _ask_filed(payload: dict[str, Any]) -> Iterable[Told]:
    draft = _draft(payload)
    if draft is not None and draft.asked_by is not None and draft.exception_id is not None:
        title = f"What you asked for is filed: exception {draft.exception_id}"
        for account in _accounts_of(draft.asked_by):
            yield Told(account.pk, Kind.OUTCOME, f"exception:{draft.exception_id}", title)


def _ask_declined(payload: dict[str, Any]) -> Iterable[Told]:
    draft = _draft(payload)
    if draft is not None and draft.asked_by is not None:
        title = f"The exception that you asked for is not filed: {draft.answer}"[:300]
        for account in _accounts_of(draft.asked_by):
            yield Told(account.pk, Kind.OUTCOME, f"ask:{draft.key}", title)


def _taken_back(payload: dict[str, Any]) -> Iterable[Told]:
    """Those who had been told of it."""
    draft = _draft(payload)
    if draft is None or draft.asked_by is None:
        return
    title = f"{draft.asked_by.name} took back what they asked you for"
    before = Notification.objects.filter(subject=_subject(draft), kind=Kind.DECISION, user__is_active=True)
    for user_id in set(before.values_list("user_id", flat=True)):
        yield Told(user_id, Kind.OUTCOME, f"ask:{draft.key}:over", title)


def _subject(draft: ExceptionDraft) -> str:
    return f"exception-draft:{draft.key}"


# -- exceptions --------------------------------------------------------------------------------------------------------


def _exception(payload: dict[str, Any]) -> ExceptionRequest | None:
    return ExceptionRequest.objects.select_related("person", "filer").filter(pk=payload.get("exception")).first()


def _to_accept(payload: dict[str, Any]) -> Iterable[Told]:
    request = _exception(payload)
    if request is not None and request.state == ExceptionState.ACCEPTING:
        title = f"Exception {request.pk} for you is approved: read and accept its conditions on My access"
        for account in people.accounts_of(request.person).filter(is_active=True):
            yield Told(account.pk, Kind.WAIVER, request.subject, title)


def _opened(payload: dict[str, Any]) -> Iterable[Told]:
    """The person, that their access is on; whoever filed is told by the approval, or here where the person opened it."""
    waiver = Waiver.objects.select_related("person", "request").filter(pk=payload.get("waiver")).first()
    if waiver is None or waiver.request is None:
        return
    subject = f"waiver:{waiver.pk}"
    for account in _accounts_of(waiver.person):
        yield Told(
            account.pk, Kind.WAIVER, subject, f"Waiver {waiver.pk} for you is open until {waiver.ends_at:%Y-%m-%d}"
        )
    if waiver.request.conditions_digest:
        title = f"{waiver.person.name} accepted the conditions: waiver {waiver.pk} is open"
        yield Told(waiver.request.filer_id, Kind.OUTCOME, subject, title[:300])


def _conditions_declined(payload: dict[str, Any]) -> Iterable[Told]:
    request = _exception(payload)
    if request is not None:
        title = f"{request.person.name} did not accept the conditions of exception {request.pk}; nothing opened"
        yield Told(request.filer_id, Kind.OUTCOME, request.subject, title[:300])


def _lapsed(payload: dict[str, Any]) -> Iterable[Told]:
    """What was approved and had not opened; of what was still to be decided its approval tells."""
    request = _exception(payload)
    asked = approvals.requests_about(request.subject).first() if request is not None else None
    if request is None or asked is None or asked.state != RequestState.APPROVED:
        return
    title = f"Exception {request.pk} for {request.person.name} will not open: {request.close_reason}"[:300]
    for user_id in {request.filer_id, *_accounts_of(request.person).values_list("pk", flat=True)}:
        yield Told(user_id, Kind.OUTCOME, request.subject, title)


# -- waivers -----------------------------------------------------------------------------------------------------------


def _of_waiver(payload: dict[str, Any], words: str) -> Iterable[Told]:
    """The person, whoever asked for it, and the person's manager."""
    waiver = Waiver.objects.select_related("person__manager", "request").filter(pk=payload.get("waiver")).first()
    if waiver is None:
        return
    concerned = Q(pk__in=_accounts_of(waiver.person, waiver.person.manager).values("pk"))
    if waiver.request is not None:
        concerned |= Q(pk=waiver.request.filer_id)
    title = words.format(number=waiver.pk, name=waiver.person.name, reason=waiver.end_reason)[:300]
    for user_id in User.objects.filter(concerned, is_active=True).values_list("pk", flat=True):
        yield Told(user_id, Kind.WAIVER, f"waiver:{waiver.pk}", title)


def _settled(payload: dict[str, Any]) -> Iterable[Told]:
    """Each person whose waiver a new version shortened or ended, who asked for it, and the manager: one line for each account."""
    reference, version = str(payload.get("reference")), int(payload.get("version", 0))
    for row in queries.concerned_by_version(reference, version):
        if row.waivers == 1:
            did = "ended" if row.ended else "shortened"
            title, subject = f"Version {version} of {reference} {did} waiver {row.first}", f"waiver:{row.first}"
        else:
            counted = [f"ended {row.ended}"] if row.ended else []
            counted += [f"shortened {row.waivers - row.ended}"] if row.waivers > row.ended else []
            title = f"Version {version} of {reference} {' and '.join(counted)} of the waivers that concern you"
            subject = f"waivers-of:{reference}"
        yield Told(row.user_id, Kind.WAIVER, subject[:120], title[:300])


# -- break-glass -------------------------------------------------------------------------------------------------------


def _broken(payload: dict[str, Any]) -> BreakGlass | None:
    return BreakGlass.objects.select_related("person").filter(pk=payload.get("break_glass")).first()


def _second_needed(payload: dict[str, Any]) -> Iterable[Told]:
    """Those who could confirm it, while there is something to confirm."""
    found = _broken(payload)
    if found is None or found.confirmed_at is not None:
        return
    title = f"A second person is needed within 15 minutes: a waiver at once for {found.person.name}"[:300]
    few = accounts.with_right("break_glass")
    aside = {found.opened_by_id, *_accounts_of(found.person).values_list("pk", flat=True)}
    for user_id in set(few.values_list("pk", flat=True)) - aside:
        yield Told(user_id, Kind.DECISION, found.subject, title)


def _without_approval(payload: dict[str, Any], words: str) -> Iterable[Told]:
    """Everybody who would have approved it, as they were at that moment."""
    found = _broken(payload)
    if found is None:
        return
    accounts = User.objects.filter(username__in=payload.get("accounts", ()), is_active=True)
    for user_id in accounts.values_list("pk", flat=True):
        yield Told(user_id, Kind.REVIEW, found.subject, words.format(name=found.person.name)[:300])


def _reviewed(payload: dict[str, Any]) -> Iterable[Told]:
    """The two who opened it."""
    found = _broken(payload)
    if found is None or found.reviewed_at is None:
        return
    judged = Verdict(found.verdict).label.lower()
    title = f"What you opened for {found.person.name} without approval was reviewed: {judged}"[:300]
    for user_id in (found.opened_by_id, found.confirmed_by_id):
        if user_id is not None:
            yield Told(user_id, Kind.OUTCOME, found.subject, title)


TELL: dict[str, Callable[[dict[str, Any]], Iterable[Told]]] = {
    "exception.asked_for": _asked_for,
    "exception.declined": _ask_declined,
    "exception.taken_back": _taken_back,
    "exception.ask_filed": _ask_filed,
    "exception.accepting": _to_accept,
    "exception.approved": _opened,
    "exception.conditions_declined": _conditions_declined,
    "exception.lapsed": _lapsed,
    "waiver.revoked": lambda payload: _of_waiver(payload, "Waiver {number} for {name} was revoked: {reason}"),
    "waiver.ending_soon": lambda payload: _of_waiver(payload, "Waiver {number} for {name} ends soon; it can be renewed"),
    "waivers.settled": _settled,
    "break_glass.asked": _second_needed,
    "break_glass.opened": lambda payload: _without_approval(payload, "A waiver for {name} was opened without approval"),
    "break_glass.review_overdue": lambda payload: _without_approval(payload, "The review of a waiver for {name} is overdue"),
    "break_glass.reviewed": _reviewed,
}  # fmt: skip
