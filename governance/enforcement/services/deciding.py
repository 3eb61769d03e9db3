"""Every request's one way to whoever knows what it is about and acts on the outcome, by its kind.

The pages, the API and the schedule decide, take back and let time pass through here, so that none of them needs to know more
than the request.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import Error

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.approvals import eligibility
from governance.approvals import services as approvals
from governance.approvals.eligibility import Refusal, Standing
from governance.approvals.models import Request, Verdict
from governance.approvals.services import Outcome
from governance.approvals.states import RequestState
from governance.directives.acts import act
from governance.enforcement.services import lifecycle
from governance.errors import Invalid, NotFound, Refused, WrongState
from governance.waivers import services as waivers

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subject:
    """What can be done with the requests about one sort of thing. ``name`` is what stands after the colon of a subject."""

    vote: Callable[[Actor, str, str, str, str, str], None]  # actor, name, verdict, comment, digest seen, condition
    withdraw: Callable[[Actor, str], None]
    pass_time: Callable[[Actor, str, int], Outcome | None]
    # For whom the account would decide, if not for itself, comes last.
    refusal: Callable[[Actor, Request, User | None], Refusal | None] = lambda actor, request, on_behalf_of: None


def _refuse_condition(condition: str) -> None:
    if condition.strip():
        raise Invalid("Nobody would accept a condition here.", [("condition", "goes with exceptions only")])


def _vote_directive(actor: Actor, name: str, verdict: str, comment: str, seen: str, condition: str) -> None:
    _refuse_condition(condition)
    lifecycle.vote(actor=actor, reference=name, verdict=verdict, comment=comment, seen=seen)


def _vote_exception(actor: Actor, name: str, verdict: str, comment: str, seen: str, condition: str) -> None:
    waivers.decide_exception(
        actor=actor, exception_id=int(name), verdict=verdict, comment=comment, seen=seen, condition=condition
    )


def _vote_policy(actor: Actor, name: str, verdict: str, comment: str, seen: str, condition: str) -> None:
    _refuse_condition(condition)
    kind, _, version = name.partition(":")
    approvals.decide_policy(
        actor=actor, kind=kind, version=int(version), verdict=verdict, comment=comment, seen=seen
    )  # fmt: skip


_SUBJECTS: dict[str, Subject] = {
    "directive": Subject(
        vote=_vote_directive,
        withdraw=lambda actor, name: lifecycle.withdraw(actor=actor, reference=name),
        pass_time=lambda actor, name, request_id: lifecycle.pass_time(
            actor=actor, reference=name, request_id=request_id
        ),
        refusal=lifecycle.refusal,
    ),
    "exception": Subject(
        vote=_vote_exception,
        withdraw=lambda actor, name: _ignore(waivers.withdraw_exception(actor=actor, exception_id=int(name))),
        pass_time=lambda actor, name, request_id: waivers.pass_time(
            actor=actor, exception_id=int(name), request_id=request_id
        ),
    ),
    "approval-policy": Subject(
        vote=_vote_policy,
        withdraw=lambda actor, name: _ignore(
            approvals.withdraw(actor=actor, request=approvals.open_request_for(f"approval-policy:{name}"))
        ),
        pass_time=lambda actor, name, request_id: approvals.pass_time(actor=actor, request_id=request_id),
    ),
}


def _ignore(_: object) -> None:
    """What an act returns is read from the request again."""


def standing(actor: Actor, request: Request) -> Standing:
    """How the actor's account may decide a request now, or which reason keeps it from that; a vote asks all of it again."""
    assert actor.user is not None, "a machine decides nothing"
    found = eligibility.standing(actor.user, request)
    if found.refusal is not None:
        return found
    refusal = _SUBJECTS[request.subject.partition(":")[0]].refusal(actor, request, found.on_behalf_of)
    return found if refusal is None else Standing(refusal)


def _of(request_id: int) -> tuple[Request, Subject, str]:
    request = Request.objects.filter(pk=request_id).first()
    if request is None:
        raise NotFound(f"There is no request {request_id}.")
    sort, _, name = request.subject.partition(":")
    return request, _SUBJECTS[sort], name


@act
def decide(
    *, actor: Actor, request_id: int, verdict: str, comment: str = "", seen: str, condition: str = ""
) -> Request:
    """One decision on the content whose digest was ``seen``; the last one acts on the outcome in this transaction.

    ``condition`` is what an approver of an exception adds for the person to keep to.
    """
    request, subject, name = _of(request_id)
    if request.state != RequestState.OPEN:
        raise WrongState(f"This request is closed: {request.get_state_display().lower()}.")
    subject.vote(actor, name, verdict, comment, seen, condition)
    request.refresh_from_db()
    return request


@dataclass(frozen=True)
class Result:
    """What became of one of several requests: decided, or not and why."""

    request: Request
    refused: str = ""


MOST_AT_ONCE = 50


def decide_many(*, actor: Actor, chosen: Sequence[tuple[int, str]], verdict: str, comment: str = "") -> list[Result]:
    """The same decision, with one comment, on several requests of one kind, each on the content whose digest was seen.

    Each is a transaction of its own, and refused for itself: some may be decided and others not. Raises ``Invalid`` for a
    choice that is none, too large, or of unlike requests; nothing is decided then.
    """
    if not 1 <= len(chosen) <= MOST_AT_ONCE:
        raise Invalid("The choice is not acceptable.", [("chosen", f"must be from 1 to {MOST_AT_ONCE} requests")])
    if verdict not in Verdict.values:
        raise Invalid("A decision approves or rejects.")
    requests = Request.objects.select_related("requester").in_bulk([request_id for request_id, _ in chosen])
    if len({request.kind for request in requests.values()}) > 1:
        raise Invalid("The choice is not acceptable.", [("chosen", "must be requests of one kind")])
    unknown = {request_id for request_id, _ in chosen} - requests.keys()
    if unknown:
        raise NotFound(f"There is no request {min(unknown)}.")
    results = []
    for request_id, seen in dict(chosen).items():
        try:
            decided = decide(actor=actor, request_id=request_id, verdict=verdict, comment=comment, seen=seen)
            results.append(Result(decided, _FITS_NO_MORE if decided.state == RequestState.WITHDRAWN else ""))
        except Refused as refused:
            results.append(Result(requests[request_id], refused.reason))
    return results


_FITS_NO_MORE = (
    "No decision was recorded. What was asked for does not fit the directive any more; the request is closed."
)


def came_to(request: Request) -> str:
    """What a decision led to, in words."""
    return _FITS_NO_MORE if request.state == RequestState.WITHDRAWN else f"Recorded. The request is {request.state}."


@act
def withdraw(*, actor: Actor, request_id: int) -> Request:
    """The requester takes the request back, and with it what was asked for."""
    request, subject, name = _of(request_id)
    subject.withdraw(actor, name)
    request.refresh_from_db()
    return request


def let_time_pass(*, actor: Actor) -> int:
    """Remind, escalate and refuse whatever is due; how many requests time did something to.

    Each request is a transaction of its own, which also acts on its refusal: a worker killed half-way leaves the others done
    and this one as it was. One that cannot be dealt with now keeps no other waiting; it comes again at the next tick.
    """
    approvals.remind(actor=actor)
    done = 0
    for request_id in approvals.overdue():
        try:
            done += pass_time(actor=actor, request_id=request_id) is not None
        except (Refused, Error) as error:
            log.warning("time could not pass for request %d: %s", request_id, type(error).__name__)
    return done


@act
def pass_time(*, actor: Actor, request_id: int) -> Outcome | None:
    """Let the overdue stages of one request escalate, or refuse it; None when there is nothing to do (any more)."""
    _, subject, name = _of(request_id)
    return subject.pass_time(actor, name, request_id)
