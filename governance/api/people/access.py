"""What surrounds every endpoint: who asks, by token or session; JSON in and out; refusals as problem documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.views.decorators.csrf import csrf_exempt

from governance.accounts.actor import Actor
from governance.accounts.models import Reach, User
from governance.accounts.queries import find_personal_token
from governance.accounts.tokens import note_use
from governance.api.problems import Problem
from governance.errors import Invalid, NotFound, PermissionRefused, Refused, WrongState
from governance.values import Unfit, moment, storable, text

_STATUS: dict[type[Refused], int] = {NotFound: 404, PermissionRefused: 403, WrongState: 409, Invalid: 422}
_LARGEST = 100_000  # bytes of a body
_NOTHING = "There is nothing at this address."
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="portcullis"'}


class Call(HttpRequest):
    """Typing only: an endpoint is called with one."""

    user: User  # type: ignore[assignment]
    actor: Actor


Endpoint = Callable[..., Any]


def endpoint(**methods: Endpoint) -> Callable[..., HttpResponse]:
    """A view of functions by method. Each answers with a document, or a document and a status with headers.

    A document that is None is an answer without content.
    """

    @csrf_exempt  # a token is no cookie; sessions are checked in ``_who``
    @login_not_required
    @wraps(next(iter(methods.values())))
    def view(request: HttpRequest, **path: Any) -> HttpResponse:
        try:
            act = methods.get(str(request.method).lower())
            if act is None:
                allowed = ", ".join(sorted(name.upper() for name in methods))
                raise Problem(405, f"Use {allowed}.", headers={"Allow": allowed})
            _who(request)
            if not all(storable(value) for value in path.values() if isinstance(value, str)):
                raise Problem(404, _NOTHING)
            answer = act(request, **path)
        except Problem as problem:
            return _problem(problem)
        except Refused as refused:
            return _problem(_as_problem(refused))
        document, status, headers = answer if isinstance(answer, tuple) else (answer, 200, {})
        headers = {"Cache-Control": "no-store"} | headers
        if document is None:
            return HttpResponse(status=204, headers=headers)
        return JsonResponse(document, status=status, headers=headers)

    return view


def nothing(request: HttpRequest) -> Any:
    raise Problem(404, _NOTHING)


def _who(request: HttpRequest) -> None:
    """The account that asks: by its personal token, else by its session and then with a CSRF token where something changes."""
    scheme, _, plain = request.headers.get("Authorization", "").partition(" ")
    changes = request.method not in ("GET", "HEAD")
    if scheme:
        token = find_personal_token(plain.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise Problem(401, "This is no personal token of an active account, or it has ended.", headers=_CHALLENGE)
        if changes and token.reach != Reach.ACT:
            raise Problem(403, "This token reads only.")
        note_use(token)
        request.user = token.user
        request.actor = Actor.for_user(token.user, via=f"token:{token.pk}")  # type: ignore[attr-defined]
    elif not request.user.is_authenticated:
        raise Problem(401, "A personal token is needed, or a session.", headers=_CHALLENGE)
    elif changes and _Csrf(_answers_nothing).process_view(request, _answers_nothing, (), {}) is not None:
        raise Problem(403, "A session needs its CSRF token in X-CSRFToken.")


def _answers_nothing(request: HttpRequest) -> HttpResponse:
    """What Django's check wants to stand before; only its verdict is asked for here, so this is never reached."""
    return HttpResponse(status=204)


class _Csrf(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return HttpResponse(status=403)


def _as_problem(refused: Refused) -> Problem:
    more: dict[str, Any] = {"code": refused.code} if refused.code else {}
    if isinstance(refused, Invalid):
        more["errors"] = [{"field": field, "message": message} for field, message in refused.errors]
    return Problem(_STATUS.get(type(refused), 409), refused.reason, more=more)


def _problem(problem: Problem) -> HttpResponse:
    headers = {"Cache-Control": "no-store"} | problem.headers
    return JsonResponse(
        problem.document(), status=problem.status, headers=headers, content_type="application/problem+json"
    )


# -- what is sent ------------------------------------------------------------------------------------------------------


def body(request: HttpRequest) -> Mapping[str, Any]:
    """The JSON object that was sent."""
    if request.content_type != "application/json":
        raise Problem(400, "Send application/json.")
    if int(request.META.get("CONTENT_LENGTH") or 0) > _LARGEST:
        raise Problem(413, f"At most {_LARGEST:,} bytes.")
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):
        raise Problem(400, "This is not JSON.") from None
    if not isinstance(found, dict):
        raise Problem(400, "Send a JSON object.")
    return found


def words(sent: Mapping[str, Any], name: str, *, default: str | None = None, limit: int = 2_000) -> str:
    """A text member. Raises ``Invalid`` when it is missing without a default, or no text that could be kept."""
    if name not in sent and default is not None:
        return default
    try:
        return text(sent.get(name), limit)
    except Unfit as unfit:
        raise Invalid("The request is not acceptable.", [(name, unfit.reason)]) from None


def items(sent: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The member ``items`` as pairs of slugs. Raises ``Invalid`` when it is not a list of {model, capability}."""
    found = sent.get("items")
    if not isinstance(found, list):
        raise Invalid("The request is not acceptable.", [("items", "must be a list of {model, capability}")])
    pairs = []
    for index, item in enumerate(found):
        if not isinstance(item, dict):
            raise Invalid("The request is not acceptable.", [(f"items[{index}]", "must be {model, capability}")])
        try:
            pairs.append((words(item, "model", limit=200), words(item, "capability", limit=200)))
        except Invalid as refusal:
            raise Invalid(
                "The request is not acceptable.",
                [(f"items[{index}].{field}", message) for field, message in refusal.errors],
            ) from None
    return pairs


def time(sent: Mapping[str, Any], name: str) -> datetime:
    """A member that is a time with its zone."""
    try:
        return moment(sent.get(name))
    except Unfit as unfit:
        raise Invalid("The request is not acceptable.", [(name, unfit.reason)]) from None


def choice(request: HttpRequest, name: str, known: Collection[str]) -> str:
    """A query parameter that is one of a few words; the first of them when it is missing."""
    given = request.GET.get(name, next(iter(known)))
    if given not in known:
        raise Problem(400, f"{name} must be one of {', '.join(each for each in known if each)}.")
    return given


def at(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def newest_first(request: HttpRequest, found: QuerySet[Any], name: str, document: Callable[[Any], Any]) -> Any:
    """One page of a list by descending id, as a document with the ``after`` of the next."""
    limit, after = window(request)
    rows = list((found.filter(pk__lt=after) if after else found).order_by("-pk")[: limit + 1])
    return {name: [document(one) for one in rows[:limit]], "next": rows[limit - 1].pk if len(rows) > limit else None}


def after_key(request: HttpRequest, what: Callable[[str], Any] = str) -> Any:
    """``after`` of a list whose rows have keys, not numbers; None for the first page."""
    given = request.GET.get("after")
    if given is None:
        return None
    try:
        return what(text(given, 200))
    except ValueError:
        raise Problem(400, "after must be the key of the last row before.") from None


def how_many(request: HttpRequest, most: int = 100) -> int:
    """``limit`` of a list."""
    return _numbers(request, ("limit", 1, most)).get("limit", 50)


def window(request: HttpRequest, most: int = 100) -> tuple[int, int | None]:
    """``limit`` and ``after`` of a list: how many, and the id of the last one before."""
    found = _numbers(request, ("limit", 1, most), ("after", 1, 2**63 - 1))
    return found.get("limit", 50), found.get("after")


def _numbers(request: HttpRequest, *wanted: tuple[str, int, int]) -> dict[str, int]:
    found = {}
    for name, least, largest in wanted:
        given = request.GET.get(name)
        if given is None:
            continue
        number = int(given) if given.isascii() and given.isdigit() and len(given) < 20 else 0
        if not least <= number <= largest:
            raise Problem(400, f"{name} must be a whole number from {least} to {largest}.")
        found[name] = number
    return found
