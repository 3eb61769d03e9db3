"""Exceptions before they are filed: drafts kept as sent, acceptable or not, and what people ask to be filed for themselves."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.db.models import Q

from governance.api.people.access import Call, after_key, at, body, how_many, items, words
from governance.api.people.exceptions import several
from governance.enforcement.filing import directive_of
from governance.enforcement.services.exceptions import ask_for_exception, file_draft
from governance.errors import Invalid, NotFound
from governance.people import queries as people
from governance.waivers import queries, services
from governance.waivers.answers import Answers
from governance.waivers.models import ExceptionDraft

_TEXTS = {"reason": 20_000, "mitigation": 200, "licence": 200, "conditions": 5_000}


def listing(request: Call) -> dict[str, Any]:
    """The drafts that the account may go on with, those changed last first: its own, and what others asked for."""
    limit, after = how_many(request), after_key(request, UUID)
    found = queries.drafts_of(request.user).order_by("-changed_at", "-pk")
    last = ExceptionDraft.objects.filter(pk=after).values_list("changed_at", flat=True).first() if after else None
    if last is not None:
        found = found.filter(Q(changed_at__lt=last) | Q(changed_at=last, pk__lt=after))
    rows = list(found[: limit + 1])
    return {
        "drafts": [_document(one) for one in rows[:limit]],
        "next": str(rows[limit - 1].pk) if len(rows) > limit else None,
    }


def create(request: Call) -> Any:
    """Keep a draft under a new key."""
    draft = _keep(request, uuid4())
    return draft, 201, {"Location": f"/api/v1/drafts/{draft['key']}"}


def detail(request: Call, key: UUID) -> dict[str, Any]:
    return _document(_find(request, key))


def change(request: Call, key: UUID) -> dict[str, Any]:
    """Keep a draft under that key, in the place of what it said; sent twice, it is the same draft."""
    return _keep(request, key)


def discard(request: Call, key: UUID) -> None:
    """Throw a draft of one's own away; what somebody asked for is declined instead."""
    services.delete_draft(actor=request.actor, key=key)


def decline(request: Call, key: UUID) -> Any:
    """Do not file what somebody asked for; the answer is for them."""
    services.decline(actor=request.actor, key=key, answer=words(body(request), "answer"))


def file(request: Call, key: UUID) -> Any:
    """File what a draft says, for everybody in it or nobody; the draft is over with it."""
    filed = file_draft(actor=request.actor, key=key)
    return several(request, filed), 201, {}


def _keep(request: Call, key: UUID) -> dict[str, Any]:
    sent = body(request)
    directive = directive_of(request.actor, words(sent, "directive", limit=200))
    answers = _answers(sent)
    draft = services.save_draft(
        actor=request.actor, key=key, directive=directive, person_ids=answers.people, values=answers.as_values()
    )
    return _document(draft)


def _answers(sent: Any) -> Answers:
    """What was sent, as the form would keep it: judged when it is filed."""
    listed = sent.get("people")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise Invalid("The draft cannot be kept.", [("people", "must be a list of {person, items}")])
    chosen: dict[str, list[str]] = {}
    for one in listed:
        person = words(one, "person", limit=200)
        chosen[person] = ["/".join(pair) for pair in items(one)] if "items" in one else []
    days = sent.get("days", "")
    if not isinstance(days, int | str) or isinstance(days, bool):
        raise Invalid("The draft cannot be kept.", [("days", "must be a number")])
    texts = {name: words(sent, name, default="", limit=most) for name, most in _TEXTS.items()}
    return Answers(list(chosen), chosen, words({"days": str(days)[:50]}, "days"), **texts)


def _find(request: Call, key: UUID) -> ExceptionDraft:
    found = queries.drafts_of(request.user).filter(pk=key).first()
    if found is not None:
        return found
    raise NotFound("There is no such draft.")


def _document(draft: ExceptionDraft) -> dict[str, Any]:
    answers = Answers.from_values({"people": []} | draft.values)
    return {
        "key": str(draft.key), "directive": draft.directive.reference,
        "people": [
            {
                "person": pk,
                "items": [{"model": model, "capability": capability} for model, capability in answers.slugs(pk)],
            }
            for pk in answers.people
        ],
        "days": answers.days, "reason": answers.reason, "mitigation": answers.mitigation,
        "conditions": answers.conditions, "licence": answers.licence,
        "attachments": [one["name"] for one in draft.attachments],
        "author": draft.author.username if draft.author else None,
        "asked_by": draft.asked_by_id, "asked_for": draft.asked_for,
        "created_at": at(draft.created_at), "changed_at": at(draft.changed_at),
    }  # fmt: skip


# -- what somebody asks for themselves ---------------------------------------------------------------------------------


def asks(request: Call) -> dict[str, Any]:
    """What the account's person asked to be filed for them, newest first, and what became of it."""
    limit = how_many(request)
    me = people.person_of(request.user)
    found = me.exceptions_asked_for.select_related("directive").order_by("-created_at")[:limit] if me else []
    return {"asks": [_ask(one) for one in found]}


def ask(request: Call) -> Any:
    """Ask that an exception be filed for oneself; what was lost is chosen already."""
    sent = body(request)
    asked = ask_for_exception(
        actor=request.actor, reference=words(sent, "directive", limit=200), words=words(sent, "words")
    )
    return _ask(asked), 201, {}


def take_back(request: Call, key: UUID) -> dict[str, Any]:
    return _ask(services.take_back(actor=request.actor, key=key))


def _ask(one: ExceptionDraft) -> dict[str, Any]:
    return {
        "key": str(one.key), "directive": one.directive.reference, "words": one.asked_for, "state": one.state,
        "answer": one.answer, "exception": one.exception_id, "created_at": at(one.created_at),
    }  # fmt: skip
