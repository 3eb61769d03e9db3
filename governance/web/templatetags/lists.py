"""What stands above a list: its saved views and its filters. Both live in the address, and each keeps what the other chose."""

from __future__ import annotations

from typing import Any

from django import template

from governance.web.listing import Page, Select, View
from governance.web.templatetags.portcullis import query

register = template.Library()
_PAGING = frozenset({"after", "before"})


@register.inclusion_tag("components/views.html", takes_context=True)
def saved_views(context: template.Context, views: list[View], label: str = "Saved views") -> dict[str, Any]:
    """Chips with the counts. Current is the one that the address names, by its filters and none of the others'."""
    chosen = context["request"].GET
    names = {name for view in views for name in view.filters}
    chips = [
        {
            "view": view,
            "href": query(context, **{name: view.filters.get(name) for name in names}),
            "current": all(chosen.get(name, "") == view.filters.get(name, "") for name in names),
        }
        for view in views
    ]
    return {"chips": chips, "label": label}


@register.inclusion_tag("components/filters.html", takes_context=True)
def list_filters(
    context: template.Context, what: str, search: str = "", name: str = "q", *, live: bool = False
) -> dict[str, Any]:
    """The form of a list: ``search`` is what its field finds by; the view's ``selects`` are its choices.

    ``taken`` are filters that nothing else shows, to be taken away. Whatever else is in the address stays, but for the place
    in the list. ``live`` asks anew while somebody types.
    """
    request, page = context["request"], context["page"]
    selects: list[Select] = context.get("selects") or []
    own = {name} if search else set()
    own |= {select.name for select in selects}
    return {
        "what": what,
        "search": search,
        "name": name,
        "typed": page.filters.get(name, ""),
        "selects": [(select, _options(select, page)) for select in selects],
        "kept": [(key, value) for key, value in request.GET.items() if value and key not in own | _PAGING],
        "taken": [(query(context, **{key: None}), text) for key, text in context.get("taken") or []],
        "address": request.path if live else "",
    }


def _options(select: Select, page: Page) -> list[tuple[Any, Any, bool]]:
    chosen = page.filters.get(select.name, "")
    return [(value, text, str(value) == chosen) for value, text in select.options]
