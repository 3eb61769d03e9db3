"""Which frame a page has: the operators' with its side, or the slim one of managers and employees."""

from __future__ import annotations

from django.http import HttpRequest


def frame_of(request: HttpRequest) -> str:
    user = getattr(request, "user", None)  # a request refused before sign-in was looked at has none
    return "shell.html" if user is not None and user.is_authenticated and user.rights() else "slim.html"
