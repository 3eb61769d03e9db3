"""One request with everything a decision needs, and what people do with it: decide, talk, hand over, take back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from governance.accounts import queries as accounts
from governance.approvals import progress, queries, selection, services
from governance.approvals.models import Request
from governance.approvals.states import StageState
from governance.directives import profiles
from governance.directives.models import Directive
from governance.directives.states import VersionState
from governance.enforcement import candidates, previews, remarks
from governance.enforcement.services import deciding, emergencies
from governance.errors import Invalid, NotFound, Refused
from governance.rules import english, language
from governance.values import typed_number
from governance.waivers import conditions, mitigations
from governance.waivers import queries as exceptions
from governance.waivers.models import ExceptionRequest
from governance.web.frames import frame_of
from governance.web.http import Visit, status_of

_QUEUE = 8


def find(request: Visit, request_id: int) -> Request:
    asked = queries.visible_to(request.user).filter(pk=request_id).first()
    if asked is None:
        raise NotFound(f"There is no request {request_id} that you may see.")
    return asked


def detail(request: Visit, request_id: int) -> HttpResponse:
    return _page(request, find(request, request_id))


def _page(request: Visit, asked: Request, refused: Refused | None = None) -> HttpResponse:
    """The request's page; after a refusal with its reason, and with what was typed."""
    standing = deciding.standing(request.actor, asked)
    stages = progress.of(asked)
    approver = queries.decides(request.user)
    mine = asked.requester_id == request.user.pk
    queue = list(queries.inbox(request.user)[:_QUEUE]) if approver else []
    undecided = [each for each in stages if each.stage.state in (StageState.OPEN, StageState.WAITING)]
    context: dict[str, Any] = {
        "frame": frame_of(request),
        "asked": asked,
        "standing": standing,
        "refusal": standing.refusal,
        "approver": approver,
        "queue": queue if any(other.pk != asked.pk for other in queue) else [],
        "checks": queries.checks(request.user, asked),
        "stages": stages,
        "waits_for": next((each.could for each in stages if each.stage.state == StageState.OPEN), []),
        "following": next((each.stage.name for each in stages if each.stage.state == StageState.WAITING), ""),
        "voided": progress.voided(asked),
        "talk": progress.talk(asked),
        "talks": asked.state == "open" and (mine or standing.refusal is None or standing.refusal.code == "decided"),
        "mine": mine,
        "withdrawable": asked.state == "open" and asked.kind != emergencies.CONFIRMATION,
        "to_hand_over": undecided if asked.state == "open" and request.actor.has("hand_over_approvals") else [],
        "typed": request.POST,
        "anchors": ["text", "reason", "to", "condition"],
    }
    if context["to_hand_over"]:
        context["accounts"] = accounts.to_choose_from()
    if refused is not None:
        errors = refused.errors if isinstance(refused, Invalid) else []
        context["errors"] = errors or [("", refused.reason)]
    context |= _about(request, asked)
    status = 200 if refused is None else status_of(refused)
    return render(request, "approvals/detail.html", context, status=status)


# -- what it is about --------------------------------------------------------------------------------------------------


def _about(request: Visit, asked: Request) -> dict[str, Any]:
    return _ABOUT[asked.subject.partition(":")[0]](request, asked)


def _exception(request: Visit, asked: Request) -> dict[str, Any]:
    found = ExceptionRequest.objects.select_related("person", "directive", "licence", "filer", "version").get(
        pk=asked.subject.partition(":")[2]
    )
    items = found.model_capabilities.select_related("model", "capability").order_by("model__name", "capability__name")
    return {
        "exception": found,
        "items": items,
        "mitigation": mitigations.in_words(found.mitigation),
        "conditions": conditions.of(found),
        "similar": exceptions.decided_before(found),
        "reads_reason": exceptions.may_read_reason(request.user, found),
    }


def _directive(request: Visit, asked: Request) -> dict[str, Any]:
    directive = Directive.objects.select_related("version_in_force").get(reference=asked.subject.partition(":")[2])
    version = directive.version_in_force
    if asked.kind.startswith("directive.activation"):
        version = directive.versions.filter(state=VersionState.SUBMITTED).first() or version
    context: dict[str, Any] = {"directive": directive, "version": version}
    if version is not None:
        question = candidates.of_version(version)
        opening = asked.kind.startswith("directive.activation")
        stored = getattr(version, "stored_preview", None) if opening else None
        # What ends a directive does to people what a version would that covers nobody.
        ending = asked.kind in ("directive.suspension", "directive.rescission")
        effect = candidates.with_rule(version, False) if ending else question
        figures = stored.figures if stored else previews.as_json(effect, previews.preview_of(effect, fingerprint=False))
        context |= {
            "preview": figures,
            "ending": ending,
            "second_baseline": previews.second_baseline(question) if opening else None,
            "remarks": remarks.about(question) if opening else [],
            "trials": profiles.run(directive, candidates.content.expand(version.rule_as_fixed)) if opening else [],
            "weakened": profiles.weakened_since(directive, _in_force_since(directive)) if opening else [],
            "sentence": english.sentence(language.parse(version.rule_as_fixed)),
            "stored": stored,
            "difference": previews.difference(version) if stored and asked.state == "open" else None,
            "scope": list(version.scope.select_related("model", "capability")),
        }
    return context


def _in_force_since(directive: Directive) -> datetime | None:
    return directive.version_in_force.in_force_at if directive.version_in_force else None


def _policy(request: Visit, asked: Request) -> dict[str, Any]:
    """A written policy beside the one in force, and whom it would select for a request of the highest risk and the lowest."""
    _, kind, version = asked.subject.split(":")
    versions = {each.policy.version: each for each in queries.policies_of(kind)}
    proposed = versions[int(version)].policy
    stages = list(proposed.stages.all())
    return {
        "policy": proposed,
        "in_force": next((each.policy for each in versions.values() if each.policy.active), None),
        "selected": selection.selects(stages, selection.highest(stages)),
        "unfillable": selection.unfillable(stages) if asked.state == "open" else None,
    }


_ABOUT: dict[str, Callable[[Visit, Request], dict[str, Any]]] = {
    "exception": _exception,
    "directive": _directive,
    "approval-policy": _policy,
}


# -- what people do with it --------------------------------------------------------------------------------------------


@require_POST
def vote(request: Visit, request_id: int) -> HttpResponse:
    """One decision, on the content that the page showed."""
    asked = find(request, request_id)
    try:
        decided = deciding.decide(
            actor=request.actor,
            request_id=asked.pk,
            verdict=request.POST.get("verdict", ""),
            comment=request.POST.get("comment", ""),
            seen=request.POST.get("seen", ""),
            condition=request.POST.get("condition", ""),
        )
    except Refused as refused:
        return _page(request, find(request, request_id), refused)
    messages.success(request, deciding.came_to(decided))
    return redirect("approval", request_id=request_id)


@require_POST
def act(request: Visit, request_id: int) -> HttpResponse:
    """Whatever is done with a request besides deciding it."""
    asked = find(request, request_id)
    done = _ACTS.get(request.POST.get("act", ""))
    if done is None:
        raise Invalid("There is no such act on a request.")
    try:
        words = done(request, asked)
    except Refused as refused:
        return _page(request, find(request, request_id), refused)
    messages.success(request, words)
    return redirect("approval", request_id=request_id)


def _comment(request: Visit, asked: Request) -> str:
    services.comment(actor=request.actor, request=asked, words=request.POST.get("text", ""))
    return "Your comment is part of the request."


def _ask_back(request: Visit, asked: Request) -> str:
    services.ask_back(actor=request.actor, request=asked, words=request.POST.get("text", ""))
    return f"{asked.requester} is asked. The clock stands still until the answer."


def _answer(request: Visit, asked: Request) -> str:
    services.answer(actor=request.actor, request=asked, words=request.POST.get("text", ""))
    return "Your answer is part of the request. The clock goes on."


def _hand_over(request: Visit, asked: Request) -> str:
    request.actor.require("hand_over_approvals")  # before it is told which accounts there are
    to = accounts.find_user(request.POST.get("to", "").strip())
    if to is None:
        raise Invalid("Nobody was named.", [("to", "must be the name of an account, such as peter")])
    services.hand_over(
        actor=request.actor,
        request=asked,
        stage_id=typed_number(request.POST.get("stage", "")) or 0,
        to=to,
        reason=request.POST.get("reason", ""),
    )
    return f"{to} can decide the stage now."


def _withdraw(request: Visit, asked: Request) -> str:
    deciding.withdraw(actor=request.actor, request_id=asked.pk)
    return "The request is withdrawn."


_ACTS: dict[str, Callable[[Visit, Request], str]] = {
    "comment": _comment,
    "ask_back": _ask_back,
    "answer": _answer,
    "hand_over": _hand_over,
    "withdraw": _withdraw,
}
