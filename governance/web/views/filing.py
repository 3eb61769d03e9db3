"""Asking for exceptions: the form for one person or several, drafts saved as typed, edits, what somebody asks for themselves."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header, urlencode
from django.views.decorators.http import require_POST

from governance.directives.models import Directive
from governance.enforcement import filing as reads
from governance.enforcement import overview
from governance.enforcement.services.exceptions import Wanted, ask_for_exception, edit_exception, file_exceptions
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.people.models import Person
from governance.values import typed_number
from governance.waivers import attachments, limits, mitigations, queries, services
from governance.waivers.answers import Answers
from governance.waivers.attachments import Attached
from governance.waivers.models import ExceptionDraft, ExceptionRequest
from governance.waivers.states import ExceptionState
from governance.web import filing
from governance.web.frames import frame_of
from governance.web.http import Visit, status_of

DAYS = (7, 14, 30)
ANCHORS = ["reason", "days", "licence", "capabilities", "attachments", "mitigation", "conditions"]


def new(request: Visit) -> HttpResponse:
    """The form, for one person or several; what each lost is chosen already."""
    if request.method == "POST":
        return _posted(request)
    draft = _draft(request, request.GET.get("draft", ""))
    if draft is not None:
        answers = Answers.from_values(draft.values)
        if not answers.reason and draft.asked_by_id:
            answers.reason = mitigations.wording(answers.mitigation)
        return _page(request, draft.directive, answers, draft=draft)
    if "pick" in request.GET:
        directive, ids, others = _picked(request)
        found = _people(request, ids)
    else:
        found, others = _people(request, list(dict.fromkeys(request.GET.getlist("person")))), []
        directive = reads.directive_of(request.actor, request.GET.get("directive", ""))
    answers = filing.first_answers(found, directive)
    return _page(request, directive, answers, others=others)


def _picked(request: Visit) -> tuple[Directive, list[str], list[tuple[Directive, str]]]:
    """Whom the form is for. People of several directives were chosen: the first one's, and the addresses for the others."""
    picked: dict[int, list[str]] = {}
    for pick in request.GET.getlist("pick"):
        number, _, person_id = pick.partition(":")
        picked.setdefault(typed_number(number) or 0, []).append(person_id)
    directives = {one.pk: one for one in reads.known_to(request.actor).filter(pk__in=picked)}
    if len(directives) < len(picked):
        raise NotFound("There is no such directive.")
    first, *rest = sorted(picked)
    others = [
        (
            directives[pk],
            f"{reverse('exception-new')}?{urlencode({'pick': [f'{pk}:{who}' for who in picked[pk]]}, True)}",
        )
        for pk in rest
    ]
    return directives[first], list(dict.fromkeys(picked[first])), others


def _posted(request: Visit) -> HttpResponse:
    """Send, or one of the buttons that only change the form."""
    answers = filing.answers_from(request.POST)
    _people(request, answers.people)
    directive = reads.directive_of(request.actor, request.POST.get("directive", ""))
    draft = _draft(request, request.POST.get("draft", ""), missing=True)
    key = _key(request.POST.get("draft", "")) or uuid4()
    kept = [Attached.from_json(one) for one in draft.attachments] if draft else []
    act, _, what = request.POST.get("do", "").partition(":")
    try:
        kept = filing.uploaded(request.FILES.getlist("file"), kept)
        if act == "wording":
            answers.reword()
        elif act == "leave-out":
            answers.without(what)
        elif act == "detach":
            kept = [one for one in kept if one.sha256 != what]
        if act:
            saved = _save(request, key, directive, answers, kept)
            return _page(request, directive, answers, draft=saved)
        answers.refuse_unanswered()
        filed = file_exceptions(
            actor=request.actor,
            reference=directive.reference,
            wanted=[Wanted(pk, answers.slugs(pk)) for pk in answers.people],
            days=answers.number_of_days,
            reason=answers.reason,
            mitigation=answers.mitigation,
            licence=answers.licence or None,
            conditions=answers.conditions,
            attached=kept,
            draft=key,
        )
    except Invalid as refusal:
        if kept and (draft is None or len(kept) > len(draft.attachments)):  # files cannot be typed again
            draft = _save(request, key, directive, answers, kept)
        return _page(request, directive, answers, draft=draft, key=key, refusal=refusal)
    except WrongState as refusal:
        # There is no form for a directive that is not in force: what was typed is kept as a draft until it is again.
        if refusal.code != "closed":
            _save(request, key, directive, answers, kept)
        raise
    if len(filed) == 1:
        messages.success(request, f"Exception {filed[0].pk} is filed. You see here how it goes.")
        return redirect("exception", exception_id=filed[0].pk)
    messages.success(request, f"{len(filed)} exceptions are filed, one for each person. You see here how they go.")
    return redirect("exceptions")


@require_POST
def save(request: Visit) -> HttpResponse:
    """Keep what is typed, and answer with what stands beside the form: the way ahead, and that it is saved."""
    answers = filing.answers_from(request.POST)
    _people(request, answers.people)
    directive = reads.directive_of(request.actor, request.POST.get("directive", ""))
    key = _key(request.POST.get("draft", ""))
    draft = None
    if key is not None:
        draft = services.save_draft(
            actor=request.actor, key=key, directive=directive, person_ids=answers.people, values=answers.as_values()
        )
    return render(request, "exceptions/_ahead.html", _ahead(request, directive, answers) | {"saved": draft})


def _save(request: Visit, key: UUID, directive: Directive, answers: Answers, kept: list[Attached]) -> ExceptionDraft:
    return services.save_draft(
        actor=request.actor, key=key, directive=directive, person_ids=answers.people, values=answers.as_values(),
        attached=kept,
    )  # fmt: skip


@require_POST
def delete(request: Visit, key: UUID) -> HttpResponse:
    services.delete_draft(actor=request.actor, key=key)
    messages.success(request, "The draft is deleted.")
    return redirect("exceptions")


@require_POST
def decline(request: Visit, key: UUID) -> HttpResponse:
    draft = services.decline(actor=request.actor, key=key, answer=request.POST.get("answer", ""))
    messages.success(request, f"{draft.asked_by} reads your answer on their page.")
    return redirect("exceptions")


@require_POST
def ask(request: Visit) -> HttpResponse:
    """Somebody whose access is off asks that an exception be filed for them."""
    ask_for_exception(
        actor=request.actor, reference=request.POST.get("directive", ""), words=request.POST.get("words", "")
    )
    messages.success(request, "You have asked. You see here who has it and what becomes of it.")
    return redirect("my-access")


@require_POST
def take_back(request: Visit, key: UUID) -> HttpResponse:
    services.take_back(actor=request.actor, key=key)
    messages.success(request, "You have taken it back.")
    return redirect("my-access")


def edit(request: Visit, exception_id: int) -> HttpResponse:
    """Change what an open exception asks for; decisions so far become void, and the page says so."""
    found = _mine(request, exception_id)
    kept = [Attached.of(row) for row in found.attachments.all()]
    if request.method != "POST":
        return _page(request, found.directive, _as_filed(found), editing=found, kept=kept)
    answers = filing.answers_from(request.POST)
    answers.people = [found.person_id]
    answers.items = {found.person_id: request.POST.getlist("item")}
    if request.POST.get("do") == "wording":
        answers.reword()
        return _page(request, found.directive, answers, editing=found, kept=kept)
    gone = set(request.POST.getlist("detach"))
    try:
        answers.refuse_unanswered()
        kept_then = filing.uploaded(request.FILES.getlist("file"), [one for one in kept if one.sha256 not in gone])
        void = edit_exception(
            actor=request.actor, exception_id=exception_id, items=answers.slugs(found.person_id),
            days=answers.number_of_days, reason=answers.reason, mitigation=answers.mitigation,
            licence=answers.licence or None, conditions=answers.conditions, attached=kept_then,
        )  # fmt: skip
    except (Invalid, WrongState) as refusal:
        return _page(request, found.directive, answers, editing=found, kept=kept, refusal=refusal)
    what = "Nobody had decided yet." if not void else f"{void} decision{'s are' if void > 1 else ' is'} void."
    messages.success(request, f"Exception {exception_id} is changed. {what} The stages begin again.")
    return redirect("exception", exception_id=exception_id)


def attachment(request: Visit, exception_id: int, attachment_id: int) -> HttpResponse:
    """The bytes of an attached file, to be saved and never shown as a page."""
    found = queries.exceptions_visible_to(request.user).filter(pk=exception_id).first()
    if found is None or not queries.may_read_reason(request.user, found):
        raise NotFound(f"There is no exception {exception_id} that you may see.")
    row = found.attachments.filter(pk=attachment_id).first()
    if row is None:
        raise NotFound("There is no such file.")
    response = HttpResponse(attachments.read(Attached.of(row)), content_type=row.media_type)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=row.name)
    return response


# -- what stands around the answers ------------------------------------------------------------------------------------


def _page(
    request: Visit,
    directive: Directive,
    answers: Answers,
    *,
    draft: ExceptionDraft | None = None,
    key: UUID | None = None,
    editing: ExceptionRequest | None = None,
    kept: list[Attached] | None = None,
    others: list[tuple[Directive, str]] | None = None,
    refusal: Invalid | WrongState | None = None,
) -> HttpResponse:
    found = _people(request, answers.people)
    items = [item for item in reads.scope_of(directive) if item.enabled]
    errors = filing.errors_of(refusal) if refusal else []
    if kept is None:
        kept = [Attached.from_json(one) for one in draft.attachments] if draft else []
    context = {
        "frame": frame_of(request),
        "directive": directive,
        "rows": filing.rows(found, directive, answers, but=editing.pk if editing else None),
        "person": found[0] if len(found) == 1 else None,
        "items": items,
        "answers": answers,
        "licences": overview.licences(directive),
        "mitigations": mitigations.MITIGATIONS,
        "durations": DAYS,
        "limits": limits.in_force(),
        "draft": draft,
        "draft_key": draft.key if draft else key or (None if editing else uuid4()),
        "editing": editing,
        "kept": kept,
        "accepted": attachments.ACCEPTED,
        "most_files": attachments.MOST_FILES,
        "others": others or [],
        "errors": errors,
        "wrong": dict(reversed(errors)),
        "anchors": [*ANCHORS, *(f"person-{pk}" for pk in answers.people)],
    } | _ahead(request, directive, answers)
    return render(request, "exceptions/new.html", context, status=status_of(refusal) if refusal else 200)


def _ahead(request: Visit, directive: Directive, answers: Answers) -> dict[str, Any]:
    return {
        "ahead": filing.stages_ahead(request.user, directive, answers, reads.scope_of(directive)),
        "several": len(answers.people) > 1,
    }


def _as_filed(found: ExceptionRequest) -> Answers:
    items = found.model_capabilities.select_related("model", "capability")
    return Answers(
        [found.person_id],
        {found.person_id: [f"{item.model.slug}/{item.capability.slug}" for item in items]},
        str(found.days), found.reason, found.mitigation, found.licence.reference if found.licence else "",
        found.conditions,
    )  # fmt: skip


def _mine(request: Visit, exception_id: int) -> ExceptionRequest:
    found = queries.exceptions_visible_to(request.user).filter(pk=exception_id).first()
    if found is None:
        raise NotFound(f"There is no exception {exception_id} that you may see.")
    if found.filer_id != request.user.pk:
        raise PermissionRefused("Only the person who filed an exception can change it.")
    if found.state != ExceptionState.OPEN:
        raise WrongState(f"Exception {found.pk} is closed: {found.get_state_display().lower()}.")
    return found


def _people(request: Visit, ids: list[str]) -> list[Person]:
    """The people the form is for, in that order; all of them people the account may file for."""
    wanted = {pk for pk in ids if "\x00" not in pk}
    found = {person.pk: person for person in queries.people_to_file_for(request.user).filter(pk__in=wanted)}
    if not wanted or len(found) < len(set(ids)):
        raise PermissionRefused(services.NOT_YOURS)
    return [found[pk] for pk in ids]


def _key(given: str) -> UUID | None:
    try:
        return UUID(given)
    except ValueError:
        return None


def _draft(request: Visit, given: str, *, missing: bool = False) -> ExceptionDraft | None:
    """The draft of that key that the account may go on with. ``missing``: the form brought a key that was never saved."""
    if not given:
        return None
    key = _key(given)
    found = queries.drafts_of(request.user).filter(pk=key).first() if key else None
    if found is None and not missing:
        raise NotFound("There is no such draft.")
    return found
