"""What the services share: one announcement found and locked, its entry in the ledger, its event in the outbox."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from governance.accounts.actor import Actor
from governance.communications import queries
from governance.communications.models import Announcement, AnnouncementChunk
from governance.directives import services as directives
from governance.directives.models import DirectiveVersion
from governance.enforcement import restrictions
from governance.errors import NotFound, PermissionRefused
from governance.ledger import services as ledger
from governance.moments import now
from governance.rules import language

CHUNK_SIZE = 50_000


def may_prepare(actor: Actor) -> bool:
    return actor.has("activate_directives") or actor.has("release_messages")


def require_prepare(actor: Actor) -> None:
    if actor.user is None:
        raise PermissionRefused("Messages to people are an account's to write.")
    if not may_prepare(actor):
        actor.require("activate_directives")


def lock(announcement_id: int) -> Announcement:
    """The announcement, with its directive's row locked before it (docs/architecture.md, *Locks*)."""
    reference = Announcement.objects.filter(pk=announcement_id).values_list("directive__reference", flat=True).first()
    if reference is None:
        raise NotFound("There is no such announcement.")
    directives.lock(reference)
    return (
        Announcement.objects.select_for_update(of=("self",))
        .select_related("directive", "version")
        .get(pk=announcement_id)
    )


def record(actor: Actor, announcement: Announcement, act: str, **data: Any) -> None:
    """An entry about an announcement: its directive, counts and digests; never a person."""
    reference = announcement.directive.reference
    ledger.append(
        action=f"announcement.{act}", actor=actor.name, via=actor.via, subject=announcement.subject,
        also=[announcement.directive.subject], data={"occasion": announcement.occasion, **data},
    )  # fmt: skip
    payload = {"announcement": announcement.pk, "reference": reference, "by": actor.name}
    ledger.publish(topic=f"announcement.{act}", key=announcement.subject, payload=payload)


def words_now(version: DirectiveVersion) -> dict[str, dict[str, str]]:
    texts = queries.texts_of(version)
    return {audience: {"subject": text.subject, "body": text.body} for audience, text in texts.items()}


def digest_of(texts: Mapping[str, Any]) -> str:
    return hashlib.sha256(language.canonical(dict(texts))).hexdigest()


def let_go(actor: Actor, announcement: Announcement, texts: dict[str, dict[str, str]]) -> None:
    """Fix the words and lay out the chunks: from here on workers write and send. The caller holds the announcement locked."""
    announcement.state = "released"
    announcement.texts, announcement.released_at = texts, now()
    announcement.save(update_fields=["state", "texts", "released_at"])
    AnnouncementChunk.objects.bulk_create(
        AnnouncementChunk(announcement=announcement, number=number, key_from=key_from, key_to=key_to)
        for number, (key_from, key_to) in enumerate(restrictions.split(CHUNK_SIZE), start=1)
    )
    record(actor, announcement, "released", words=digest_of(texts), version=announcement.version.number)
