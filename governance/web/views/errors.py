"""Pages for what goes wrong. Inside a page that HTMX updates, a notice in the place of the answer."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from governance.web.frames import frame_of

_WORDS = {
    400: ("That request could not be read", "Nothing was changed."),
    403: ("This page is not for your role", "Nothing was changed. If you need it for your work, ask an administrator."),
    404: ("There is no such page", "Nothing was changed. The address may be old or mistyped."),
}
_FORM_TOO_OLD = (
    "The form was open too long",
    "It was not sent, and nothing was changed. Reload the page and send it again. Cookies must be on.",
)


def _answer(request: HttpRequest, status: int, words: tuple[str, str]) -> HttpResponse:
    context = {"status": status, "title": words[0], "text": words[1]}
    if request.headers.get("HX-Request") == "true":
        response = render(request, "errors/partial.html", context, status=status)
        response["HX-Reselect"] = "unset"
        return response
    return render(request, "errors/page.html", context | {"frame": frame_of(request)}, status=status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form was open too long, or cookies are off: nothing was changed."""
    return _answer(request, 403, _FORM_TOO_OLD)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 400, _WORDS[400])


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 403, _WORDS[403])


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 404, _WORDS[404])


def server_error(request: HttpRequest) -> HttpResponse:
    """Asks nothing of the database, which may be what broke."""
    return HttpResponse(render_to_string("errors/500.html"), status=500)
