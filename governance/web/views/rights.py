"""Who can do what: of an account, of an object; giving and taking a permission on an object."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import Group
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from governance.accounts import object_services, objects
from governance.accounts.models import User
from governance.accounts.rights import ROLES
from governance.enforcement import who_can_do_what
from governance.enforcement.held_models import ROLES as OF_ROLES
from governance.enforcement.models import HeldChange
from governance.enforcement.services import roles
from governance.enforcement.who_can_do_what import KINDS, Kind
from governance.errors import Invalid, NotFound, WrongState
from governance.web.http import Visit
from governance.web.listing import Listing, Select, contains, equals

ACCOUNTS = Listing(
    sorts={"name": "full_name", "account": "username"},
    default="name",
    filters={"q": contains("full_name", "username", "email"), "role": equals("groups__name")},
)


def listing(request: Visit, kind: str = "accounts") -> HttpResponse:
    """Accounts with their roles; or the objects of a kind."""
    request.actor.require("view_rights")
    tabs = [("accounts", "Accounts"), *((each.name, each.title) for each in KINDS.values())]
    context: dict[str, Any] = {"tabs": tabs, "kind": kind}
    if kind == "accounts":
        context |= {
            "page": ACCOUNTS.page(request, User.objects.prefetch_related("groups")),
            "selects": [Select.of("role", "role", Group.objects.order_by("name").values_list("name", flat=True))],
        }
        return render(request, "rights/accounts.html", context)
    found = _kind(kind)
    objects_of_it = Listing(
        sorts={"name": found.shown}, default="name", filters={"q": contains(found.key, found.shown)}
    )
    page = objects_of_it.page(request, found.model.objects.all())
    context |= {"page": page, "rows": [(found.key_of(row), getattr(row, found.shown)) for row in page.rows]}
    return render(request, "rights/objects.html", context | {"title": found.title})


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise NotFound("There is no such page.")
    return KINDS[name]


def account(request: Visit, username: str) -> HttpResponse:
    request.actor.require("view_rights")
    return _account(request, username)


def _account(request: Visit, username: str, errors: Any = (), status: int = 200) -> HttpResponse:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise NotFound(f"There is no account {username}.")
    found = who_can_do_what.of_account(user)
    context = {
        "found": found,
        "holdings": [(kind, kind.key_of(held.thing), held) for kind, held in found.holdings],
        "all_roles": sorted(ROLES),
        "chosen": request.POST.getlist("role") if request.method == "POST" else found.roles,
        "waits": HeldChange.objects.filter(what=OF_ROLES, key=username).first(),
        "own": user.pk == request.user.pk,
        "errors": errors,
    }
    return render(request, "rights/account.html", context, status=status)


@require_POST
def set_roles(request: Visit, username: str) -> HttpResponse:
    request.actor.require("administer")
    try:
        given = roles.set_roles(actor=request.actor, username=username, roles=request.POST.getlist("role"))
    except Invalid as refusal:
        return _account(request, username, [("", words) for _, words in refusal.errors], 422)
    except WrongState as refusal:
        return _account(request, username, [("", refusal.reason)], 409)
    if given.held:
        waits = ", ".join(given.held)
        messages.success(request, f"Held for a second person: {waits}. Whatever was taken away is taken away now.")
    else:
        messages.success(request, "Saved. It holds from now on.")
    return redirect("rights-account", username=username)


def _find(kind: str, key: str) -> tuple[Kind, Any]:
    found = _kind(kind)
    thing_found = found.find(key)
    if thing_found is None:
        raise NotFound(f"There is no {key}.")
    return found, thing_found


def thing(request: Visit, kind: str, key: str) -> HttpResponse:
    request.actor.require("view_rights")
    return _show(request, kind, key)


def _show(request: Visit, kind: str, key: str, errors: Any = (), status: int = 200) -> HttpResponse:
    found, thing_found = _find(kind, key)
    context = {
        "found": who_can_do_what.of_thing(found, thing_found),
        "key": key,
        "name": getattr(thing_found, found.shown),
        "permissions": objects.permissions_of(found.model).items(),
        "roles": Group.objects.order_by("name").values_list("name", flat=True),
        "values": request.POST,
        "errors": [(field, _in_a_sentence(field, words)) for field, words in errors],
        "anchors": ["account", "role", "permission"],
    }
    context["wrong"] = dict(context["errors"])
    return render(request, "rights/object.html", context, status=status)


_FIELDS = {"account": "The account:", "role": "The role:", "permission": "The permission:"}


def _in_a_sentence(field: str, words: str) -> str:
    return f"{_FIELDS.get(field, '')} {words}".strip()


@require_POST
def give(request: Visit, kind: str, key: str) -> HttpResponse:
    request.actor.require("administer")
    _, thing_found = _find(kind, key)
    account_name, role = request.POST.get("account", "").strip(), request.POST.get("role", "")
    try:
        object_services.give(
            actor=request.actor, permission=request.POST.get("permission", ""), thing=thing_found,
            account=account_name, role=role,
        )  # fmt: skip
    except Invalid as refusal:
        return _show(request, kind, key, refusal.errors, 422)
    messages.success(request, f"Given to {account_name or role}. It holds from now on.")
    return redirect("rights-object", kind=kind, key=key)


@require_POST
def take(request: Visit, kind: str, key: str) -> HttpResponse:
    request.actor.require("administer")
    _, thing_found = _find(kind, key)
    object_services.take(
        actor=request.actor, permission=request.POST.get("permission", ""), thing=thing_found,
        account=request.POST.get("account", ""), role=request.POST.get("role", ""),
    )  # fmt: skip
    messages.success(request, "Taken away. It holds no more.")
    return redirect("rights-object", kind=kind, key=key)
