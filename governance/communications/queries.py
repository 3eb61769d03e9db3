"""Reads about announcements and messages; nothing here changes anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from governance.accounts.actor import Actor
from governance.catalog.models import ModelCapability
from governance.communications import reach, wordings
from governance.communications.models import Announcement, AnnouncementChunk, Audience, Message, Release, Wording
from governance.communications.states import NOT_DELIVERED, ON_THE_WAY, AnnouncementState, MailState
from governance.communications.wordings import Facts, Text
from governance.directives.models import Directive, DirectiveVersion
from governance.enforcement import candidates
from governance.moments import now
from governance.people.models import Person


def models_of_items() -> dict[str, dict[int, str]]:
    """Every model on offer with its enabled capabilities, by the id of the model capability."""
    found: dict[str, dict[int, str]] = {}
    offered = ModelCapability.objects.filter(enabled=True, model__provider__own=True)
    for model, item, name in offered.order_by("model__name", "capability__name").values_list(
        "model__name", "id", "capability__name"
    ):
        found.setdefault(model, {})[item] = name
    return found


def texts_of(version: DirectiveVersion) -> dict[str, Text]:
    """The words for each audience: the version's own, else those of the newest earlier version that has some, else the standard ones."""
    own = Wording.objects.filter(version__directive=version.directive_id, version__number__lte=version.number)
    written = {
        wording.audience: Text(wording.subject, wording.body) for wording in own.order_by("version__number")
    }  # fmt: skip
    return {audience: written.get(audience, wordings.STANDARD[audience]) for audience in Audience.values}


def hold_of(version: DirectiveVersion) -> datetime | None:
    return Release.objects.filter(version=version).values_list("hold_until", flat=True).first()


@dataclass(frozen=True)
class Example:
    """One audience's words as one person would get them, or gets them."""

    audience: str
    label: str
    text: Text
    standard: bool
    count: int
    person: Person | None
    filled: Text | None


@dataclass(frozen=True)
class Plan:
    """What would be told if the version took force now, or is told by the version in force."""

    version: DirectiveVersion
    reach: reach.Reach
    examples: list[Example]
    hold_until: datetime | None

    @property
    def tells_somebody(self) -> bool:
        return bool(self.reach.off or self.reach.back or self.reach.verify)


def plan(version: DirectiveVersion) -> Plan:
    """The messages of a version with live counts and a live example for each audience. Two reads of the population."""
    directive = version.directive
    rule = candidates.candidate(candidates.of_version(version)).rule
    in_force = directive.version_in_force_id == version.pk
    found, samples = reach.count(directive.pk, version.pk, None if in_force else rule)
    texts = texts_of(version)
    people = Person.objects.in_bulk([sample[0] for _, sample in samples if sample])
    counts = {
        Audience.OFF: found.off, Audience.VERIFY: found.verify, Audience.OFF_MANAGER: found.off_managers,
        Audience.BACK: found.back, Audience.BACK_MANAGER: found.back_managers,
    }  # fmt: skip
    by_audience = {str(audience): sample for audience, sample in samples}
    names = models_of_items()
    examples = []
    for audience, label in Audience.choices:
        sample = by_audience.get(audience)
        person = people.get(sample[0]) if sample else None
        filled = None
        if person is not None and sample is not None:
            manager = audience in (Audience.OFF_MANAGER, Audience.BACK_MANAGER)
            items = sample[1] if isinstance(sample[1], list) and sample[1] else sorted(rule.scope)
            facts = facts_about(
                directive, version, person, items, people=sample[1] if manager else 0, names=names, since=now()
            )
            filled = wordings.fill(texts[audience], facts)
        standard = texts[audience] == wordings.STANDARD[audience]
        examples.append(Example(audience, label, texts[audience], standard, counts[Audience(audience)], person, filled))
    return Plan(version, found, examples, hold_of(version))


def facts_about(
    directive: Directive,
    version: DirectiveVersion,
    person: Person,
    items: Sequence[int],
    *,
    people: int,
    names: dict[str, dict[int, str]],
    since: datetime | None,
) -> Facts:
    return Facts(
        first_name=person.given_name,
        models=wordings.models_named(items, names),
        order=wordings.order_of(directive),
        title=directive.title,
        reference=directive.reference,
        since=wordings.moment(version.in_force_at or since),
        verify_by=wordings.moment(directive.verify_deadline),
        people=wordings.people_counted(people),
    )


def rendered(message: Message, names: dict[str, dict[int, str]]) -> Text:
    """What the person was told, from the words as they were released. Needs announcement, directive, version and person."""
    announcement = message.announcement
    stated = announcement.texts.get(message.audience) or {}
    text = Text(stated.get("subject", ""), stated.get("body", ""))
    facts = facts_about(
        announcement.directive, announcement.version, message.person, message.items, people=message.people, names=names,
        since=announcement.released_at,
    )  # fmt: skip
    return wordings.fill(text, facts)


def messages_with_facts() -> QuerySet[Message]:
    return Message.objects.select_related("announcement__directive", "announcement__version", "person")


def told_to(person: Person, most: int = 10) -> list[tuple[Message, Text]]:
    """What a person was told, newest first, for that person alone."""
    found = list(messages_with_facts().filter(person=person).order_by("-id")[:most])
    names = models_of_items() if found else {}
    return [(message, rendered(message, names)) for message in found]


@dataclass(frozen=True)
class Progress:
    """An announcement as pages show it: sums over rows, true at every moment."""

    announcement: Announcement
    chunks: int
    chunks_done: int
    audiences: list[tuple[str, int]]
    messages: int
    on_the_way: int
    sent: int
    not_delivered: int
    without_address: int
    dropped: int

    @property
    def percent(self) -> int:
        through = self.messages - self.on_the_way
        if self.announcement.written_at is None:
            return 0 if not self.chunks else self.chunks_done * 50 // self.chunks
        return 100 if not self.messages else 50 + through * 50 // self.messages

    @property
    def unfinished(self) -> bool:
        return self.announcement.state == AnnouncementState.RELEASED


def progress(announcement: Announcement) -> Progress:
    chunks = AnnouncementChunk.objects.filter(announcement=announcement).aggregate(
        all=Count("id"), done=Count("id", filter=Q(done_at__isnull=False))
    )
    rows = announcement.messages.order_by().values("audience", "mail").annotate(n=Count("id"))
    by_audience: dict[str, int] = {}
    by_mail: dict[str, int] = {}
    for row in rows:
        by_audience[row["audience"]] = by_audience.get(row["audience"], 0) + row["n"]
        by_mail[row["mail"]] = by_mail.get(row["mail"], 0) + row["n"]
    return Progress(
        announcement=announcement,
        chunks=chunks["all"],
        chunks_done=chunks["done"],
        audiences=[(label, by_audience[value]) for value, label in Audience.choices if value in by_audience],
        messages=sum(by_mail.values()),
        on_the_way=sum(by_mail.get(state, 0) for state in ON_THE_WAY),
        sent=by_mail.get(MailState.SENT, 0),
        not_delivered=sum(by_mail.get(state, 0) for state in NOT_DELIVERED),
        without_address=by_mail.get(MailState.NONE, 0),
        dropped=by_mail.get(MailState.DROPPED, 0),
    )


def announcements_of(directive: Directive) -> QuerySet[Announcement]:
    return Announcement.objects.filter(directive=directive).select_related("version", "corrects").order_by("-id")


def not_delivered(announcement: Announcement) -> QuerySet[Message]:
    return announcement.messages.filter(mail__in=NOT_DELIVERED).select_related("person").order_by("person_id")


def held_of(directive: Directive) -> Announcement | None:
    return Announcement.objects.filter(directive=directive, state=AnnouncementState.HELD).first()


def may_stop(actor: Actor, announcement: Announcement) -> bool:
    """Whether ``stop`` would let the actor: what is held is counsel's."""
    if announcement.state == AnnouncementState.RELEASED and actor.has("activate_directives"):
        return True
    return announcement.state in (AnnouncementState.HELD, AnnouncementState.RELEASED) and actor.has("release_messages")


@dataclass(frozen=True)
class ToldAudience:
    """The words that one audience got, and how many people were told."""

    audience: str
    label: str
    subject: str
    body: str
    people: int


def told_by_audience(announcement: Announcement) -> list[ToldAudience]:
    counts = dict(
        announcement.messages.order_by().exclude(mail=MailState.DROPPED).values_list("audience").annotate(n=Count("id"))
    )
    return [
        ToldAudience(
            value, label, announcement.texts[value]["subject"], announcement.texts[value]["body"], counts[value]
        )
        for value, label in Audience.choices
        if value in announcement.texts and value in counts
    ]
