"""Subject, resource and action search (AuthZEN section 8): compiled SQL, the same that runs and previews use.

A search finds exactly the entities for which ``evaluation`` permits (a property test holds this).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import orjson

from governance.accounts.models import Scope
from governance.api.authzen.messages import Request, action, entity, min_epoch, object_of, require_epoch, text
from governance.api.authzen.pages import Page, read_page
from governance.api.authzen.services import Services
from governance.api.problems import Problem
from governance.enforcement import searching
from governance.enforcement.policy import Policy

Handler = Callable[[Request, Services], dict[str, Any]]


def _few_at_once(handler: Handler) -> Handler:
    """A search may take seconds: however many are asked for, decisions keep threads of their own."""

    @wraps(handler)
    def limited(request: Request, services: Services) -> dict[str, Any]:
        if not services.places.take():
            raise Problem(503, "Too many searches at once.", headers={"Retry-After": "1"})
        try:
            return handler(request, services)
        finally:
            services.places.give_back()

    return limited


@_few_at_once
def subjects(request: Request, services: Services) -> dict[str, Any]:
    """``POST /access/v1/search/subject``: who may take this action on this resource?"""
    client = request.authenticate(Scope.SEARCH, services.searching)
    document = request.document()
    subject_type = text(object_of(document, "subject"), "subject", "type")
    resource_type, model = entity(document, "resource")
    capability = action(document)
    wanted = min_epoch(document)
    page = read_page(document, services.secret, client_id=client.id)
    known = subject_type == "person" and resource_type == "model"
    found = searching.people_permitted(
        model if known else "", capability, after=page.after, limit=page.limit, source=services.searching
    )
    request.confirm(client, Scope.SEARCH, found.policy)
    require_epoch(found.policy, wanted)
    token = page.next_token(found.last or page.after, found.policy.epoch, services.secret) if found.more else ""
    return _response(page, found.policy, found.count, _as_people(found), token)


def _as_people(found: searching.Found) -> object:
    """The ids as entities, ready for orjson."""
    if not found.count or "\\" in found.written:
        return [{"type": "person", "id": person_id} for person_id in found.ids]
    entities = found.written[1:-1].replace(searching.BETWEEN, '"},{"type":"person","id":"')
    return orjson.Fragment(f'[{{"type":"person","id":{entities}}}]')


@_few_at_once
def resources(request: Request, services: Services) -> dict[str, Any]:
    """``POST /access/v1/search/resource``: on which models may this subject take this action?"""
    client = request.authenticate(Scope.SEARCH, services.searching)
    document = request.document()
    person = _person(document)
    resource_type = text(object_of(document, "resource"), "resource", "type")
    capability = action(document)
    return _of_person(
        request, services, client, document,
        person if resource_type == "model" else "",
        lambda item: item.capability == capability,
        lambda item: (item.model, {"type": "model", "id": item.model}),
    )  # fmt: skip


@_few_at_once
def actions(request: Request, services: Services) -> dict[str, Any]:
    """``POST /access/v1/search/action``: which actions may this subject take on this resource?"""
    client = request.authenticate(Scope.SEARCH, services.searching)
    document = request.document()
    person = _person(document)
    resource_type, model = entity(document, "resource")
    return _of_person(
        request, services, client, document,
        person if resource_type == "model" else "",
        lambda item: item.model == model,
        lambda item: (item.capability, {"name": item.capability}),
    )  # fmt: skip


def _person(document: dict[str, Any]) -> str:
    subject_type, person = entity(document, "subject")
    return person if subject_type == "person" else ""


def _of_person(
    request: Request, services: Services, client: Any, document: dict[str, Any], person: str, choose: Any, show: Any
) -> dict[str, Any]:
    wanted = min_epoch(document)
    page = read_page(document, services.secret, client_id=client.id)
    policy, items = searching.model_capabilities_permitted(person, choose, source=services.searching)
    request.confirm(client, Scope.SEARCH, policy)
    require_epoch(policy, wanted)
    found = sorted((show(item) for item in items), key=lambda pair: pair[0])
    rest = [pair for pair in found if pair[0] > page.after]
    shown = rest[: page.limit]
    more = len(rest) > len(shown)
    last = shown[-1][0] if shown else page.after
    token = page.next_token(last, policy.epoch, services.secret) if more else ""
    return _response(page, policy, len(shown), [result for _, result in shown], token)


def _response(page: Page, policy: Policy, count: int, results: object, token: str) -> dict[str, Any]:
    context: dict[str, Any] = {"policy_epoch": policy.epoch}
    if page.began is not None and page.began != policy.epoch:
        context["changed_since_epoch"] = page.began
    return {"page": {"next_token": token, "count": count}, "context": context, "results": results}
