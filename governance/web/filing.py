"""The form for exceptions: what was typed, from the page or from a draft, and what stands around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict

from governance.accounts.models import User
from governance.approvals.foresight import Foreseen, foresee
from governance.approvals.services import Risk
from governance.catalog.models import AIModel, Capability
from governance.directives.models import Directive
from governance.enforcement import filing
from governance.enforcement.policy import ModelCapability
from governance.errors import Invalid, Refused
from governance.people.models import Person
from governance.waivers import attachments, limits, mitigations, queries
from governance.waivers.answers import FIRST_MITIGATION, Answers
from governance.waivers.attachments import Attached
from governance.waivers.queries import Overlap

_SENTENCES = {
    "reason": "The reason",
    "days": "The number of days",
    "licence": "The licence does not fit:",
    "mitigation": "What keeps it safe",
    "attachments": "Files:",
    "conditions": "The conditions:",
}
_REQUIRED = {
    ("reason", "is required"): "Say what stops without access: an answer is required",
    ("capabilities", "is required"): "Choose which access: at least one is required",
}


def answers_from(post: QueryDict) -> Answers:
    """What the form brought."""
    people = list(dict.fromkeys(post.getlist("person")))
    alone = len(people) == 1
    items = {one: post.getlist("item") if alone else post.getlist(f"item-{one}") for one in people}
    return Answers(
        people, items, *(post.get(name, "") for name in ("days", "reason", "mitigation", "licence", "conditions"))
    )


@dataclass(frozen=True)
class Row:
    """One person of the form, with what can be asked for and what is asked for or given already."""

    person: Person
    name: str  # of the field
    chosen: list[str]
    taken: dict[int, Overlap]


def first_answers(people: Sequence[Person], directive: Directive) -> Answers:
    """A form for somebody, as it begins: what each lost is chosen, but for what is asked for already."""
    ids = [person.pk for person in people]
    taken = {(one.person_id, one.item_id) for one in queries.overlaps(directive, ids)}
    lost = filing.lost(ids, directive)
    items = {pk: [item.name for item in lost[pk] if item.enabled and (pk, item.id) not in taken] for pk in ids}
    days = str(limits.in_force().default_days)
    return Answers(ids, items, days, reason=mitigations.wording(FIRST_MITIGATION))


def rows(people: Sequence[Person], directive: Directive, answers: Answers, *, but: int | None = None) -> list[Row]:
    """The people in the order of the answers."""
    taken: dict[str, dict[int, Overlap]] = {}
    for one in queries.overlaps(directive, answers.people):
        if one.exception_id != but:
            taken.setdefault(one.person_id, {}).setdefault(one.item_id, one)
    by_id = {person.pk: person for person in people}
    alone = len(answers.people) == 1
    return [
        Row(by_id[pk], "item" if alone else f"item-{pk}", answers.items.get(pk, []), taken.get(pk, {}))
        for pk in answers.people
        if pk in by_id
    ]


def stages_ahead(
    user: User, directive: Directive, answers: Answers, items: Sequence[ModelCapability]
) -> list[Foreseen]:
    """The longest way that one of these requests goes, as the answers stand."""
    chosen = {name for names in answers.items.values() for name in names}
    slugs = {item.capability for item in items if item.name in chosen}
    models = AIModel.objects.filter(slug__in={item.model for item in items if item.name in chosen})
    tier = max(Capability.objects.filter(slug__in=slugs).values_list("tier", flat=True), default=0)
    return foresee(
        kind="exception", risk=Risk(tier=tier, days=answers.number_of_days), requester=user, about=answers.people,
        related=queries.related_to(user, directive, list(models)),
    )  # fmt: skip


def uploaded(files: Sequence[UploadedFile], kept: Sequence[Attached]) -> list[Attached]:
    """The files kept so far and those that came with the form, judged and stored. Raises ``Invalid`` for one that is not taken."""
    found = {one.sha256: one for one in kept}
    if len(found) + len(files) > attachments.MOST_FILES:
        raise Invalid("Too many files.", [("attachments", f"at most {attachments.MOST_FILES} files")])
    for file in files:
        # One byte more than is taken, so that a file that is too large is not read whole.
        one = attachments.store(file.name or "", file.read(attachments.MOST_BYTES + 1))
        found[one.sha256] = one
    return list(found.values())


def errors_of(refusal: Refused) -> list[tuple[str, str]]:
    """What is wrong, each read without the field beside it."""
    errors = refusal.errors if isinstance(refusal, Invalid) else []
    return [(field, _in_a_sentence(field, words)) for field, words in errors] or [("", refusal.reason)]


def _in_a_sentence(field: str, words: str) -> str:
    if (field, words) in _REQUIRED:
        return _REQUIRED[field, words]
    return f"{_SENTENCES[field]} {words}" if field in _SENTENCES else words
