"""Runs: the list, one with its live progress, pause and go on."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from governance.enforcement import queries
from governance.enforcement.models import Run
from governance.enforcement.services import runs
from governance.enforcement.states import RunState
from governance.errors import NotFound
from governance.ledger import queries as ledger
from governance.web.http import Visit
from governance.web.listing import Listing, Select, equals

LIST = Listing(
    sorts={"id": "pk", "directive": "directive__reference", "state": "state"},
    default="-id",
    filters={"state": equals("state"), "directive": equals("directive__reference")},
)
_CELLS = 48
_DRAWN = 480


def listing(request: Visit) -> HttpResponse:
    request.actor.require("view_directives")
    page = LIST.page(request, Run.objects.select_related("directive", "version"))
    return render(request, "runs/list.html", {"page": page, "selects": [Select("state", "state", RunState.choices)]})


def _context(request: Visit, run_id: int) -> dict[str, Any]:
    request.actor.require("view_directives")
    run = Run.objects.select_related("directive", "version").filter(pk=run_id).first()
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    chunks = list(run.chunks.all()[:_DRAWN])
    cells = [
        {"x": 2 + 20 * (n % _CELLS), "y": 2 + 20 * (n // _CELLS), "state": chunk.state, "number": chunk.number}
        for n, chunk in enumerate(chunks)
    ]
    progress = queries.progress(run)
    return {
        "run": run,
        "progress": progress,
        "waiting": progress.chunks - progress.done,
        "shown": len(chunks),
        "restrictions": queries.restriction_count(run.directive_id),
        "cells": cells,
        "height": 20 * ((len(chunks) + _CELLS - 1) // _CELLS) + 4,
    }


def detail(request: Visit, run_id: int) -> HttpResponse:
    context = _context(request, run_id)
    context["log"] = ledger.timeline(context["run"].subject)[:12]
    return render(request, "runs/detail.html", context)


def live(request: Visit, run_id: int) -> HttpResponse:
    """The progress panel, asked for every two seconds while the run goes on; the last answer stops the asking."""
    return render(request, "runs/_live.html", _context(request, run_id))


@require_POST
def steer(request: Visit, run_id: int) -> HttpResponse:
    run = runs.steer(actor=request.actor, run_id=run_id, to=request.POST.get("to", ""))
    messages.success(request, f"Run {run.pk} is {run.get_state_display().lower()}.")
    return redirect("run", run_id=run_id)
