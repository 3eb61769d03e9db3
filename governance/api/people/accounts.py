"""What belongs to an account: who decides for it, what it was told of; and permissions on one object, by administrators."""

from __future__ import annotations

from typing import Any

from governance.accounts import object_services, objects
from governance.accounts import queries as accounts
from governance.api.people.access import Call, at, body, choice, newest_first, time, words
from governance.approvals import queries as approvals
from governance.approvals import services
from governance.approvals.models import Delegation
from governance.enforcement.who_can_do_what import KINDS, Kind
from governance.errors import Invalid, NotFound
from governance.moments import now
from governance.notifications import queries as notifications
from governance.notifications.models import Notification
from governance.notifications.services import mark_read

UNREAD = ("", "unread")


def delegations(request: Call) -> Any:
    """Those the account gave or holds, newest first; for administrators those of everybody."""
    return newest_first(request, approvals.delegations_of(request.user), "delegations", _delegation)


def delegate(request: Call) -> Any:
    """Let somebody decide what the account may, for a time."""
    sent = body(request)
    to = accounts.find_user(words(sent, "delegate", limit=200))
    if to is None:
        raise Invalid("The delegation is not acceptable.", [("delegate", "must be the name of an account")])
    found = services.delegate(
        actor=request.actor, to=to, starts_at=time(sent, "starts_at") if "starts_at" in sent else now(),
        ends_at=time(sent, "ends_at"), reason=words(sent, "reason"),
    )  # fmt: skip
    return _one(request, found.pk), 201, {}


def revoke(request: Call, delegation_id: int) -> dict[str, Any]:
    """End a delegation at once: by whoever gave it or holds it, or an administrator."""
    services.revoke(actor=request.actor, delegation_id=delegation_id)
    return _one(request, delegation_id)


def _one(request: Call, delegation_id: int) -> dict[str, Any]:
    return _delegation(approvals.delegations_of(request.user).get(pk=delegation_id))


def _delegation(one: Delegation) -> dict[str, Any]:
    return {
        "id": one.pk, "principal": one.principal.username, "delegate": one.delegate.username,
        "starts_at": at(one.starts_at), "ends_at": at(one.ends_at), "reason": one.reason,
        "revoked_at": at(one.revoked_at), "over": one.over,  # type: ignore[attr-defined]  # annotated
    }  # fmt: skip


# -- notifications -----------------------------------------------------------------------------------------------------


def told(request: Call) -> Any:
    """What the account was told of, newest first."""
    found = notifications.of(request.user)
    if choice(request, "only", UNREAD):
        found = found.filter(read_at=None)
    return newest_first(request, found, "notifications", _notification) | {"unread": notifications.unread(request.user)}


def read(request: Call) -> dict[str, Any]:
    """Everything the account was told of is read."""
    return {"read": mark_read(actor=request.actor)}


def _notification(one: Notification) -> dict[str, Any]:
    return {
        "id": one.pk, "kind": one.kind, "subject": one.subject, "title": one.title, "at": at(one.at),
        "read_at": at(one.read_at),
    }  # fmt: skip


# -- permissions on one object -----------------------------------------------------------------------------------------


def permissions(request: Call, kind: str, key: str) -> dict[str, Any]:
    """What is given on one object, and what could be."""
    request.actor.require("view_rights")
    found, thing = _thing(kind, key)
    return {
        "kind": found.name, "key": key, "offered": sorted(objects.permissions_of(found.model)),
        "given": [
            {"permission": permission, "to": what, "name": name}
            for permission, _, what, name in objects.given_on(thing)
        ],
    }  # fmt: skip


def give(request: Call, kind: str, key: str) -> Any:
    """Give an account, or everybody who has a role, a permission on one object; never to oneself."""
    request.actor.require("administer")
    _, thing = _thing(kind, key)
    object_services.give(actor=request.actor, thing=thing, **_permission(request))
    return permissions(request, kind, key), 201, {}


def take(request: Call, kind: str, key: str) -> dict[str, Any]:
    """Take a permission on one object away."""
    request.actor.require("administer")
    _, thing = _thing(kind, key)
    object_services.take(actor=request.actor, thing=thing, **_permission(request))
    return permissions(request, kind, key)


def _permission(request: Call) -> dict[str, str]:
    sent = body(request)
    names = {name: words(sent, name, default="", limit=200) for name in ("account", "role")}
    return names | {"permission": words(sent, "permission", limit=200)}


def _thing(kind: str, key: str) -> tuple[Kind, Any]:
    found = KINDS.get(kind)
    thing = found.find(key) if found else None
    if found is None or thing is None:
        raise NotFound("There is no such object.")
    return found, thing
