"""Gateways: which machine clients have asked since the directives in force took force."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from governance.enforcement import seen
from governance.web.http import Visit


def listing(request: Visit) -> HttpResponse:
    request.actor.require("view_directives")
    directives = list(seen.in_force())
    found = seen.gateways(directives)
    waiting = [gateway for gateway in found if not gateway.confirmed]
    context = {"gateways": found, "directives": directives, "waiting": waiting}
    return render(request, "lookup/gateways.html", context)
