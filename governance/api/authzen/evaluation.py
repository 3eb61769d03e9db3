"""Access evaluation and evaluations (AuthZEN sections 6 and 7): one statement, whatever the number of questions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from governance.accounts.models import Scope
from governance.api.authzen.messages import Question, Request, question, require_epoch
from governance.api.authzen.services import Services
from governance.api.problems import Problem
from governance.enforcement.answers import as_json
from governance.enforcement.decision import Decision, Reading, evaluate, people_and_policy
from governance.enforcement.explanation import Explainer
from governance.enforcement.permissions import on_file
from governance.enforcement.policy import Client, Policy

MAX_ITEMS = 1_000
_LONGEST = 200  # what a caller sent may be of any length; what is recorded of it is not
MAX_BATCH_BODY = 1024 * 1024
_ENTITIES = ("subject", "action", "resource", "context")
_STOP_AT = {"execute_all": None, "deny_on_first_deny": False, "permit_on_first_permit": True}


def evaluation(request: Request, services: Services) -> dict[str, Any]:
    """``POST /access/v1/evaluation``: may this subject take this action on this resource? A denial is 200."""
    client = request.authenticate(Scope.DECIDE, services.source)
    return _one(request, services, client, question(request.document()))


def _one(request: Request, services: Services, client: Client, asked: Question) -> dict[str, Any]:
    reading, policy = people_and_policy((asked.person,), services.source)
    request.confirm(client, Scope.DECIDE, policy)
    require_epoch(policy, asked.min_epoch)
    explainer = _explainer((asked.person,), services, client)
    return _answer(request, services, client, asked, reading, policy, explainer)[1]


def _explainer(people: Iterable[str], services: Services, client: Client) -> Explainer | None:
    """Explains the answers of a request to a client that may have explanations: one statement for all the people."""
    return Explainer(on_file(people, services.source)) if Scope.EXPLAIN in client.scopes else None


def _answer(
    request: Request,
    services: Services,
    client: Client,
    asked: Question,
    reading: Reading,
    policy: Policy,
    explainer: Explainer | None,
) -> tuple[Decision, dict[str, Any]]:
    decision = evaluate(policy, reading.of(asked.person), asked.model, asked.capability)
    services.recorder.put(
        (
            decision.id, client.id, asked.person[:_LONGEST], asked.model[:_LONGEST], asked.capability[:_LONGEST],
            decision.permit, decision.code, decision.directives, policy.epoch, reading.now, reading.snapshot,
            request.given_id,
        )
    )  # fmt: skip
    explanation = explainer.explain(decision) if explainer is not None else None
    return decision, as_json(decision, explanation, help_url=services.help_url(request))


def evaluations(request: Request, services: Services) -> dict[str, Any]:
    """``POST /access/v1/evaluations``: many questions, one snapshot.

    An item replaces a default by the whole entity. What is wrong with one item is its own error and a denial; the others
    are answered. ``deny_on_first_deny`` and ``permit_on_first_permit`` stop there.
    """
    client = request.authenticate(Scope.DECIDE, services.source)
    document = request.document(MAX_BATCH_BODY)
    stop_at = _semantic(document)
    items = document.get("evaluations")
    if (items is None and "evaluations" not in document) or items == []:
        return _one(request, services, client, question(document))
    if not isinstance(items, list):
        raise Problem(400, "evaluations must be a list.")
    if len(items) > MAX_ITEMS:
        raise Problem(413, f"A batch holds at most {MAX_ITEMS} evaluations.")
    asked = [_item(document, item) for item in items]
    people = {one.person for one in asked if isinstance(one, Question)}
    reading, policy = people_and_policy(people, services.source)
    request.confirm(client, Scope.DECIDE, policy)
    explainer = _explainer(people, services, client)
    results: list[dict[str, Any]] = []
    for permit, result in _answers(request, services, client, asked, reading, policy, explainer):
        results.append(result)
        if permit is stop_at:
            break
    return {"evaluations": results}


def _answers(
    request: Request,
    services: Services,
    client: Client,
    asked: list[Question | Problem],
    reading: Reading,
    policy: Policy,
    explainer: Explainer | None,
) -> Iterator[tuple[bool, dict[str, Any]]]:
    for one in asked:
        try:
            if isinstance(one, Problem):
                raise one
            require_epoch(policy, one.min_epoch)
        except Problem as problem:
            error = {"status": problem.status, "message": problem.detail}
            yield False, {"decision": False, "context": {"error": error}}
        else:
            decision, result = _answer(request, services, client, one, reading, policy, explainer)
            yield decision.permit, result


def _semantic(document: dict[str, Any]) -> bool | None:
    options = document.get("options", {})
    if not isinstance(options, dict):
        raise Problem(400, "options must be an object.")
    semantic = options.get("evaluations_semantic", "execute_all")
    if not isinstance(semantic, str) or semantic not in _STOP_AT:
        raise Problem(400, f"options.evaluations_semantic must be one of {', '.join(_STOP_AT)}.")
    return _STOP_AT[semantic]


def _item(defaults: dict[str, Any], item: Any) -> Question | Problem:
    """The question of one item, with the defaults it does not replace; or what is wrong with it."""
    if not isinstance(item, dict):
        return Problem(400, "An evaluation must be an object.")
    whole = {name: defaults[name] for name in _ENTITIES if name in defaults} | item
    try:
        return question(whole)
    except Problem as problem:
        return problem
