"""Writing an announcement's messages: chunk by chunk, each in one transaction, then the managers', then it is written.

Killing a worker costs time: a chunk that is not done is taken again, and writes only what is not written.
"""

from __future__ import annotations

from django.db import connection, transaction

from governance.accounts.actor import Actor
from governance.communications import reach
from governance.communications.models import Announcement, AnnouncementChunk, Message, Occasion
from governance.communications.services.common import record
from governance.communications.states import ON_THE_WAY, AnnouncementState
from governance.enforcement import locks
from governance.moments import now

_MANAGERS = """
INSERT INTO communications_message
       (announcement_id, person_id, audience, items, people, written_at, mail, tries, problem)
SELECT m.announcement_id, b.id, m.audience || '_manager', array_agg(DISTINCT item ORDER BY item),
       count(DISTINCT m.person_id), statement_timestamp(), CASE WHEN b.email = '' THEN 'none' ELSE 'due' END, 0, ''
  FROM communications_message m CROSS JOIN unnest(m.items) item
  JOIN people_person p ON p.id = m.person_id
  JOIN people_person b ON b.id = p.manager_id AND b.status <> 'departed'
 WHERE m.announcement_id = %s AND m.audience IN ('off', 'back')
 GROUP BY m.announcement_id, m.audience, b.id, b.email
    ON CONFLICT DO NOTHING
"""


def write_some(*, actor: Actor) -> bool:
    """Write one chunk of any announcement, or end one that is through. False when there was nothing to do."""
    return _write_chunk(actor) or _end_one(actor)


@transaction.atomic
def _write_chunk(actor: Actor) -> bool:
    locks.hold_people_still()
    chunk = (
        AnnouncementChunk.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(done_at=None, announcement__state=AnnouncementState.RELEASED, announcement__written_at=None)
        .exclude(announcement__occasion=Occasion.CORRECTION)
        .select_related("announcement__directive")
        .order_by("announcement_id", "number")
        .first()
    )
    if chunk is None or not _still_released(chunk.announcement_id):
        return False
    announcement = chunk.announcement
    written = reach.write(
        announcement_id=announcement.pk, directive_id=announcement.directive_id, version_id=announcement.version_id,
        people=(chunk.key_from, chunk.key_to),
    )  # fmt: skip
    chunk.done_at = now()
    chunk.save(update_fields=["done_at"])
    counts = {"off": written.off, "back": written.back, "verify": written.verify}
    record(actor, announcement, "chunk_done", chunk=chunk.number, people_digest=written.digest, **counts)
    return True


def _still_released(announcement_id: int) -> bool:
    """Shared by the workers in its chunks; whoever stops or overtakes it waits for them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM communications_announcement WHERE id = %s FOR KEY SHARE", [announcement_id])
        return bool(cursor.fetchone()[0] == AnnouncementState.RELEASED)


def _end_one(actor: Actor) -> bool:
    released = Announcement.objects.filter(state=AnnouncementState.RELEASED).order_by("pk").values_list("pk", flat=True)
    return any(_end(actor, pk) for pk in list(released))


@transaction.atomic
def _end(actor: Actor, announcement_id: int) -> bool:
    """Write to managers once every chunk is done; finish once nothing is on its way."""
    announcement = (
        Announcement.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("directive")
        .filter(pk=announcement_id, state=AnnouncementState.RELEASED)
        .first()
    )
    if announcement is None or announcement.chunks.filter(done_at=None).exists():
        return False
    moved = False
    if announcement.written_at is None:
        with connection.cursor() as cursor:
            cursor.execute(_MANAGERS, [announcement.pk])
            managers = cursor.rowcount
        announcement.written_at = now()
        announcement.save(update_fields=["written_at"])
        record(actor, announcement, "written", managers=managers)
        moved = True
    if not Message.objects.filter(announcement=announcement, mail__in=ON_THE_WAY).exists():
        announcement.state, announcement.finished_at = AnnouncementState.FINISHED, now()
        announcement.save(update_fields=["state", "finished_at"])
        record(actor, announcement, "finished", messages=announcement.messages.count())
        moved = True
    return moved
