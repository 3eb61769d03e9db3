"""Approval policies: what is in force and was, and a form that says whom it would select before anybody is asked."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import Group
from django.http import HttpResponse
from django.shortcuts import redirect, render

from governance.accounts.rights import RIGHTS
from governance.approvals import queries, relations, selection
from governance.approvals.models import AtEnd, PolicyStage
from governance.approvals.selection import Risk
from governance.enforcement.services import policies
from governance.errors import Invalid, NotFound
from governance.waivers import limits
from governance.web import policy_form
from governance.web.http import Visit
from governance.web.policy_form import LimitsRow, Row

EFFECTS = (("deny", "deny"), ("monitor", "monitor"))


def listing(request: Visit) -> HttpResponse:
    """Every kind of request with the policy in force, and what is asked for."""
    request.actor.require("administer")
    kinds = []
    for kind, versions in groupby(queries.policies_of(), key=lambda version: version.policy.kind):
        found = list(versions)
        kinds.append(
            {
                "kind": kind,
                "in_force": next((each for each in found if each.policy.active), None),
                "asked": next((each for each in found if each.state == "open"), None),
            }
        )
    return render(request, "policies/list.html", {"kinds": kinds})


def _versions(request: Visit, kind: str) -> list[queries.VersionOfPolicy]:
    request.actor.require("administer")
    found = queries.policies_of(kind)
    if not found:
        raise NotFound("Nothing asks for approvals of this kind.")
    return found


def detail(request: Visit, kind: str) -> HttpResponse:
    """One kind's versions, the newest first, and whom the one in force selects for a risk."""
    versions = _versions(request, kind)
    in_force = next((each.policy for each in versions if each.policy.active), None)
    stages = list(in_force.stages.all()) if in_force else []
    risk = policy_form.risk_of(request.GET)
    context = {"kind": kind, "versions": versions, "in_force": in_force} | _preview(stages, risk)
    return render(request, "policies/detail.html", context)


def _preview(stages: list[PolicyStage], risk: Risk) -> dict[str, Any]:
    """Whom the stages select for the risk, and why some request could not be decided under them, if one could not."""
    return {
        "risk": risk,
        "selected": selection.selects(stages, risk),
        "unfillable": selection.unfillable(stages) if stages else None,
        "effects": EFFECTS,
    }


def edit(request: Visit, kind: str) -> HttpResponse:
    """The next version as a form; it is saved only together with the request that asks for its approval."""
    versions = _versions(request, kind)
    if request.method != "POST":
        newest = next((each.policy for each in versions if each.policy.active), versions[0].policy)
        rows = policy_form.rows_of_stages(list(newest.stages.all()))
        found = limits.read(newest.terms) if kind == limits.KIND else None
        return _form(request, kind, versions, rows, policy_form.limits_of(found) if found else None)
    rows = policy_form.rows_of(request.POST)
    typed = policy_form.limits_from(request.POST) if kind == limits.KIND else None
    act, _, number = request.POST.get("do", "save").partition(":")
    if act == "add":
        rows.append(policy_form.new_row(len(rows) + 1))
    elif act == "remove":
        rows = [row for index, row in enumerate(rows) if str(index) != number]
    elif act == "save":
        return _save(request, kind, versions, rows, typed)
    return _form(request, kind, versions, rows, typed)


def _save(
    request: Visit, kind: str, versions: list[queries.VersionOfPolicy], rows: list[Row], typed: LimitsRow | None
) -> HttpResponse:
    try:
        asked = policies.propose(
            actor=request.actor, kind=kind, stages=policy_form.as_stages(rows), note=request.POST.get("note", ""),
            terms=typed.as_terms() if typed else None,
        )  # fmt: skip
    except Invalid as refused:
        errors = policy_form.spread(rows, refused.errors) or [("", refused.reason)]
        return _form(request, kind, versions, rows, typed, errors)
    messages.success(request, "Written. It takes force when a second person approves it.")
    return redirect("approval", request_id=asked.pk)


def _form(
    request: Visit,
    kind: str,
    versions: list[queries.VersionOfPolicy],
    rows: list[Row],
    typed: LimitsRow | None,
    errors: list[tuple[str, str]] | None = None,
) -> HttpResponse:
    try:
        stages, wrong = policies.read(kind, policy_form.as_stages(rows)), None
    except Invalid as refused:
        stages, wrong = [], policy_form.spread(rows, refused.errors) if request.method == "POST" else None
    wrong_fields = dict(errors or [])
    context = {
        "kind": kind,
        "next": versions[0].policy.version + 1,
        "limits": typed.fields(wrong_fields) if typed else [],
        "wrong": wrong_fields,
        "relations": relations.offered_by(kind),
        "known_relations": {relation.name for relation in relations.offered_by(kind)},
        "rows": rows,
        "note": request.POST.get("note", ""),
        "errors": errors,
        "anchors": [f"{name}-{index}" for index, row in enumerate(rows) for name in row.errors]
        + ["note", *(name for name, *_ in (typed.fields({}) if typed else []))],
        "not_yet": wrong,
        "groups": list(Group.objects.order_by("name").values_list("name", flat=True)),
        "rights": request.user.rights(),
        "all_rights": sorted(RIGHTS.items(), key=lambda item: item[1]),
        "ends": AtEnd.choices,
    } | _preview(stages, policy_form.risk_of(request.POST))
    return render(request, "policies/edit.html", context, status=422 if errors else 200)
