"""Sign-in, sign-out, password and theme."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from governance.accounts import services
from governance.errors import Invalid
from governance.web.frames import frame_of
from governance.web.http import Visit


@method_decorator([login_not_required, never_cache], name="dispatch")
class SignIn(LoginView):
    template_name = "account/sign_in.html"
    redirect_authenticated_user = True


class SignOut(LogoutView):
    http_method_names = ["post", "options"]


def locked_out(request: Visit, *args: Any, **kwargs: Any) -> HttpResponse:
    """After too many failed tries (django-axes)."""
    return render(request, "account/sign_in.html", {"locked": True}, status=429)


def password(request: Visit) -> HttpResponse:
    context: dict[str, Any] = {"frame": frame_of(request), "anchors": ["old", "new", "again"]}
    if request.method != "POST":
        return render(request, "account/password.html", context)
    if request.POST.get("new", "") != request.POST.get("again", ""):
        context["errors"] = [("again", "The two new passwords differ. Type the new one twice.")]
        return render(request, "account/password.html", context, status=422)
    try:
        user = services.change_password(
            actor=request.actor, old=request.POST.get("old", ""), new=request.POST.get("new", "")
        )
    except Invalid as refusal:
        named = {"old": "Your present password", "new": "The new password:"}
        context["errors"] = [(field, f"{named[field]} {message}") for field, message in refusal.errors]
        return render(request, "account/password.html", context, status=422)
    update_session_auth_hash(request, user)
    messages.success(request, "Your password was changed.")
    return redirect("password")


@require_POST
def theme(request: Visit) -> HttpResponse:
    services.set_theme(actor=request.actor, theme=request.POST.get("theme", ""))
    target = request.POST.get("next", "/")
    safe = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
    return redirect(target if safe else "home")
