"""What surrounds every page: a request id, sign-in by default, the actor, and refusals as calm pages."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme

from governance.accounts.actor import Actor
from governance.errors import Refused
from governance.ledger.context import log_context
from governance.web.frames import frame_of
from governance.web.http import status_of
from governance.web.views.errors import bad_request

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,200}")
Handler = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Takes ``X-Request-ID`` from the client or makes one; it goes into the ledger and is echoed on every answer."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
        with log_context(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class SignedInMiddleware(LoginRequiredMiddleware):
    """Every page needs an account unless it says otherwise. A lost session under HTMX sends the whole page to sign in."""

    def handle_no_permission(  # type: ignore[override]  # HTMX cannot follow a redirect of the whole page
        self, request: HttpRequest, view_func: Callable
    ) -> HttpResponse:
        if request.headers.get("HX-Request") == "true":
            shown = urlsplit(request.headers.get("HX-Current-URL", "/"))
            back = shown.path + (f"?{shown.query}" if shown.query else "")
            response = HttpResponse(status=401)
            response["HX-Redirect"] = f"{reverse(settings.LOGIN_URL)}?{urlencode({'next': back})}"
            return response
        return super().handle_no_permission(request, view_func)


_FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}


class ActorMiddleware:
    """Puts ``request.actor`` beside ``request.user`` and turns refusals that a view did not show itself into pages."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.actor = Actor.for_user(request.user) if request.user.is_authenticated else None  # type: ignore[attr-defined]
        response = self.get_response(request)
        if request.user.is_authenticated:
            response.headers.setdefault("Cache-Control", "no-store")
            patch_vary_headers(response, ["HX-Request"])
        return response

    def process_view(self, request: HttpRequest, view: Callable, args: tuple, kwargs: dict) -> HttpResponse | None:
        """PostgreSQL stores no NUL character, and no name or reason holds one: such a request is refused unread.

        Endpoints for programs say so themselves, in JSON.
        """
        if request.path_info.startswith("/api/v1/"):
            return None
        texts: list[Iterable[str]] = [[request.path_info], *(values for _, values in request.GET.lists())]
        if request.content_type in _FORMS:
            texts += [values for _, values in request.POST.lists()]
        return bad_request(request) if any("\x00" in text for values in texts for text in values) else None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, Refused):
            return None
        status = status_of(error)
        if request.headers.get("HX-Request") == "true":
            response = render(request, "errors/partial.html", {"title": error.reason}, status=status)
            response["HX-Reselect"] = "unset"  # a list that takes its rows out of the answer shows the refusal whole
            return response
        came_from = request.headers.get("Referer", "")
        context = {
            "refusal": error,
            "status": status,
            "frame": frame_of(request),
            "back": came_from if url_has_allowed_host_and_scheme(came_from, {request.get_host()}) else "/",
        }
        return render(request, "errors/refused.html", context, status=status)
