"""The navigation, by rights."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.http import HttpRequest
from django.urls import reverse

from governance.accounts import objects
from governance.accounts.models import User
from governance.approvals import queries as approvals
from governance.catalog.models import AIModel
from governance.directives import queries as directives
from governance.enforcement import queries as enforcement
from governance.notifications import queries as notifications
from governance.people import queries as people
from governance.waivers import queries as waivers


@dataclass
class Link:
    href: str
    icon: str
    text: str
    current: bool = False
    count: int = 0
    slim: bool = False


@dataclass
class Group:
    title: str
    links: list[Link] = field(default_factory=list)


_LINKS: tuple[tuple[str, str, str, str, str], ...] = (
    # group, name of the address, icon, text, right
    ("", "home", "layout-dashboard", "Overview", "view_directives"),
    ("", "directives", "scroll-text", "Directives", "view_directives"),
    ("", "people", "users", "People", "view_people"),
    ("", "held", "pause", "Held changes", "view_held"),
    ("", "exceptions", "file-plus", "Exceptions", "view_exceptions"),
    ("", "waivers", "shield-check", "Waivers", "view_exceptions"),
    ("", "runs", "activity", "Runs", "view_directives"),
    ("Look up", "matrix", "grid-3x3", "Who can use what", "view_directives"),
    ("Look up", "audiences", "users-round", "Audiences", "view_directives"),
    ("Look up", "explain", "circle-question-mark", "Explain a decision", "view_covered"),
    ("Look up", "gateways", "badge-check", "Gateways", "view_directives"),
    ("Look up", "history", "landmark", "Legal history", "view_ledger"),
    ("Look up", "rights", "user-check", "Who can do what", "view_rights"),
    ("Administer", "policies", "scale", "Approval policies", "administer"),
)


def build(request: HttpRequest) -> list[Group]:
    user: User = request.user  # type: ignore[assignment]
    groups: dict[str, Group] = {}

    def add(
        title: str,
        name: str,
        icon: str,
        text: str,
        *,
        of: str | None = None,
        count: int = 0,
        slim: bool = False,
        query: str = "",
    ) -> None:
        href = reverse(name, args=[of] if of else None)
        current = request.path == href or (href != "/" and request.path.startswith(href))
        groups.setdefault(title, Group(title)).links.append(Link(href + query, icon, text, current, count, slim))

    for title, name, icon, text, right in _LINKS:
        if user.has_right(right):
            add(title, name, icon, text)
    if user.has_right("administer") and not user.has_right("view_held"):
        add("Administer", "held", "pause", "Held roles", query="?of=roles")
    counted = getattr(request, "waiting", None)
    waiting = approvals.inbox(user).count() if counted is None else counted
    if waiting or approvals.decides(user):
        add("", "approvals", "stamp", "Approvals", count=waiting)
    owed = waivers.reviews_owed_by(user).count()
    if owed or user.has_right("break_glass"):
        add("", "break-glass", "lock-open", "Break-glass", count=owed)
    person = people.person_of(user)
    manager, everybody = person is not None and people.is_manager(person), user.has_right("view_people")
    owner = not (manager and everybody) and people.organisations_of(user).exists()  # asked where it changes anything
    if owner and not everybody:
        add("You", "people", "users", "Members", slim=True)
    if owner or manager:
        add("You", "affected", "users-round", "Affected people", slim=True)
        if not user.has_right("view_exceptions"):
            add("You", "exceptions", "file-plus", "Exceptions", slim=True)
            add("You", "waivers", "shield-check", "Waivers", slim=True)
    if not user.has_right("view_directives") and objects.objects_for(user, objects.STEWARD, AIModel).exists():
        add("You", "audiences", "users-round", "Audiences", slim=True)
    if not user.has_right("view_case_file"):
        for reference in directives.cases_of(user).values_list("reference", flat=True)[:_MOST_CASES]:
            add("You", "directive-case", "folder", f"Case {reference}", of=reference, slim=True)
    add("You", "notifications", "mail-check", "Notifications", count=notifications.unread(user), slim=True)
    add("You", "my-access", "circle-user-round", "My access", slim=True)
    return list(groups.values())


_MOST_CASES = 5


def live_run(user: User) -> enforcement.Progress | None:
    """How far the run is that goes on, for those who may see runs."""
    run = enforcement.unfinished_runs().first() if user.has_right("view_directives") else None
    return enforcement.progress(run) if run else None
