"""From what happened to a directive, or to people, to the announcement that tells of it. Read from rows: nothing is lost by a crash.

A directive's run is planned in the transaction of the act (activation, suspension, the clock, …); the newest run of each directive
that no announcement follows yet is an occasion. What changes people or the catalog leaves events in the outbox; after those, whoever
is to be told of a directive that has told before is told by a follow-up.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from governance.accounts.actor import Actor
from governance.communications import reach
from governance.communications.models import Announcement, Followed, Occasion, Release, Told
from governance.communications.services.common import let_go, record, words_now
from governance.communications.states import AnnouncementState
from governance.directives import services as directives
from governance.directives.models import Directive
from governance.directives.states import DirectiveState
from governance.enforcement.models import Run
from governance.ledger import queries as outbox
from governance.moments import now

# After these somebody may be covered, or may use something, who was not or could not before.
CHANGES = ("people.imported", "people.generated", "vetting.expired", "held_change.confirmed", "held_change.refused",
           "catalog.loaded", "run.finished")  # fmt: skip
_EVENTS = 5_000


def follow(*, actor: Actor) -> int:
    """Both kinds of occasion; how many announcements began. Runs again without effect."""
    return follow_runs(actor=actor) + _follow_changes(actor)


def follow_runs(*, actor: Actor) -> int:
    """An announcement for the newest run of each directive that has none yet."""
    later = Run.objects.filter(directive=OuterRef("directive"), pk__gt=OuterRef("pk"))
    told = Announcement.objects.filter(run=OuterRef("pk"))
    newest = Run.objects.filter(~Exists(later), ~Exists(told)).values_list("directive__reference", flat=True)
    return sum(_follow_run(actor, reference) for reference in sorted(newest))


@transaction.atomic
def _follow_run(actor: Actor, reference: str) -> int:
    directive = directives.lock(reference)
    run = Run.objects.filter(directive=directive).select_related("version").order_by("-id").first()
    if run is None or Announcement.objects.filter(run=run).exists():
        return 0
    for former in Announcement.objects.select_for_update().filter(
        directive=directive, state__in=[AnnouncementState.HELD, AnnouncementState.RELEASED], written_at=None
    ).exclude(occasion=Occasion.CORRECTION):  # fmt: skip
        former.state = AnnouncementState.OVERTAKEN  # this one tells what is true now
        former.save(update_fields=["state"])
        record(actor, former, "overtaken")
    occasion = _occasion(directive, run)
    hold = None
    if occasion == Occasion.ACTIVATION:
        hold = (
            Release.objects.filter(version=run.version, hold_until__gt=now())
            .values_list("hold_until", flat=True)
            .first()
        )
    _begin(actor, directive, run, occasion, hold)
    return 1


def _occasion(directive: Directive, run: Run) -> Occasion:
    if directive.state == DirectiveState.SUSPENDED:
        return Occasion.SUSPENSION
    if directive.state != DirectiveState.ACTIVE:
        return Occasion.ENDING
    if run.phase == "verified":
        return Occasion.DEADLINE
    before = Announcement.objects.filter(directive=directive, version=run.version, occasion=Occasion.ACTIVATION)
    return Occasion.RESUMPTION if before.exists() else Occasion.ACTIVATION


def _begin(actor: Actor, directive: Directive, run: Run | None, occasion: Occasion, hold: object = None) -> None:
    version = run.version if run else directive.version_in_force
    announcement = Announcement.objects.create(
        directive=directive, version=version, occasion=occasion, run=run, hold_until=hold, created_at=now(),
        created_by=actor.name, state=AnnouncementState.HELD if hold else AnnouncementState.RELEASED,
    )  # fmt: skip
    record(actor, announcement, "begun", run=run.pk if run else 0, held=bool(hold))
    if not hold:
        let_go(actor, announcement, words_now(announcement.version))


def _follow_changes(actor: Actor) -> int:
    """Follow-ups, once for all the changes since the last look. Nothing is locked while everybody is looked at.

    The changes count as followed when every directive was looked at; one whose messages are being written is waited for, since
    some of them may have been written before the change.
    """
    position, _ = Followed.objects.get_or_create(pk=1)
    events = outbox.settled_after(position.xid, position.event, _EVENTS)
    begun: list[bool | None] = []
    if any(event.topic in CHANGES for event in events):
        begun = [_follow_up(actor, directive) for directive in _telling()]
    if events and None not in begun:
        Followed.objects.filter(pk=1, xid=position.xid, event=position.event).update(
            xid=events[-1].xid, event=events[-1].pk
        )
    return begun.count(True)


def _telling() -> list[Directive]:
    """Directives that have told, or are in force: their last word may no longer be true."""
    told = Told.objects.filter(directive_id=OuterRef("pk"))
    found = Directive.objects.exclude(version_in_force=None).filter(Q(state=DirectiveState.ACTIVE) | Exists(told))
    return list(found.order_by("reference"))


def _last(directive: Directive) -> Announcement | None:
    return Announcement.objects.filter(directive=directive).exclude(occasion=Occasion.CORRECTION).first()


def _follow_up(actor: Actor, directive: Directive) -> bool | None:
    """Whether one began, because somebody is to be told; None while its last messages are being written.

    Held ones are written as things are when they are released, and after stopped ones nothing is said until the next act.
    """
    last = _last(directive)
    if last is not None and last.unwritten:
        return None
    silent = last is None or last.written_at is None or last.state == AnnouncementState.STOPPED
    if silent or not reach.anybody(directive.pk, directive.version_in_force_id or 0):
        return False
    with transaction.atomic():
        locked = directives.lock(directive.reference)
        if _last(locked) != last:
            return None  # somebody else began one meanwhile: looked at again once that is written
        _begin(actor, locked, None, Occasion.FOLLOW_UP)
    return True
