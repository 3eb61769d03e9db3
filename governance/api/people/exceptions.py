"""Exceptions: filed for one person or several, looked at, changed, withdrawn; their conditions accepted or declined."""

from __future__ import annotations

from typing import Any

from governance.api.people.access import Call, body, items, newest_first, words
from governance.enforcement.services.exceptions import Wanted, edit_exception, file_exception, file_exceptions
from governance.errors import Invalid, NotFound
from governance.waivers import queries, services
from governance.waivers.attachments import Attached
from governance.waivers.documents import exception_for, exception_row
from governance.waivers.models import ExceptionRequest


def listing(request: Call) -> Any:
    """Exceptions that the account may see, newest first."""
    return newest_first(request, _visible(request), "exceptions", exception_row)


def file(request: Call) -> Any:
    """File an exception for one person."""
    sent = body(request)
    filed = file_exception(
        actor=request.actor,
        reference=words(sent, "directive", limit=200),
        person_id=words(sent, "person", limit=200),
        items=items(sent),
        **_terms(sent),
    )
    return filed_answer(request, filed)


def file_several(request: Call) -> Any:
    """File one exception for each of several people, on the same terms; all of them or none."""
    sent = body(request)
    filed = file_exceptions(
        actor=request.actor, reference=words(sent, "directive", limit=200), wanted=_wanted(sent), **_terms(sent)
    )
    return several(request, filed), 201, {}


def filed_answer(request: Call, filed: ExceptionRequest) -> Any:
    return exception_for(request.user, filed), 201, {"Location": f"/api/v1/exceptions/{filed.pk}"}


def several(request: Call, filed: list[ExceptionRequest]) -> dict[str, Any]:
    found = {one.pk: one for one in _visible(request).filter(pk__in=[one.pk for one in filed])}
    return {"exceptions": [exception_row(found[one.pk]) for one in filed]}


def _wanted(sent: Any) -> list[Wanted]:
    people = sent.get("people")
    if not isinstance(people, list) or not all(isinstance(one, dict) for one in people):
        raise Invalid("The request is not acceptable.", [("people", "must be a list of {person, items}")])
    found: dict[str, Wanted] = {}
    for index, one in enumerate(people):
        try:
            person = words(one, "person", limit=200)
            if person in found:
                raise Invalid("The request is not acceptable.", [("person", "stands there twice")])
            found[person] = Wanted(person, items(one))
        except Invalid as refusal:
            errors = [(f"people[{index}].{field}", message) for field, message in refusal.errors]
            raise Invalid("The request is not acceptable.", errors) from None
    return list(found.values())


def _terms(sent: Any) -> dict[str, Any]:
    return {
        "days": sent.get("days"),  # the service says what is wrong with anything but a number
        "reason": words(sent, "reason", limit=4_000),
        "mitigation": words(sent, "mitigation", default=""),
        "conditions": words(sent, "conditions", default=""),
        "licence": words(sent, "licence", default="") or None,
    }


def detail(request: Call, exception_id: int) -> dict[str, Any]:
    """One exception, with its approval and its waiver."""
    return exception_for(request.user, _find(request, exception_id))


def edit(request: Call, exception_id: int) -> dict[str, Any]:
    """The filer changes what an open exception asks for; decisions so far become void, attached files stay."""
    sent = body(request)
    found = _find(request, exception_id)
    void = edit_exception(
        actor=request.actor, exception_id=found.pk, items=items(sent),
        attached=[Attached.of(row) for row in found.attachments.all()], **_terms(sent),
    )  # fmt: skip
    return {"void": void, "exception": detail(request, exception_id)}


def withdraw(request: Call, exception_id: int) -> dict[str, Any]:
    """The filer takes an exception back."""
    _find(request, exception_id)
    services.withdraw_exception(actor=request.actor, exception_id=exception_id)
    return detail(request, exception_id)


def accept(request: Call, exception_id: int) -> dict[str, Any]:
    """The person accepts the conditions that they read; the waiver opens, or the answer says why none did."""
    digest = words(body(request), "conditions_digest")
    _find(request, exception_id)
    services.accept_conditions(actor=request.actor, exception_id=exception_id, digest=digest)
    return detail(request, exception_id)


def decline(request: Call, exception_id: int) -> dict[str, Any]:
    """The person does not take it on the conditions that they read; the exception ends and opens nothing."""
    sent = body(request)
    _find(request, exception_id)
    services.decline_conditions(
        actor=request.actor, exception_id=exception_id, digest=words(sent, "conditions_digest"),
        words=words(sent, "words", default=""),
    )  # fmt: skip
    return detail(request, exception_id)


def _visible(request: Call) -> Any:
    return queries.exceptions_visible_to(request.user).prefetch_related(
        "model_capabilities__model", "model_capabilities__capability"
    )


def _find(request: Call, exception_id: int) -> ExceptionRequest:
    found: ExceptionRequest | None = _visible(request).filter(pk=exception_id).first()
    if found is None:
        raise NotFound(f"There is no exception {exception_id} that you may see.")
    return found
