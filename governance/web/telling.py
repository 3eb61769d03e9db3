"""Ledger entries in words. The code of the act stands beside them on every page, so nothing is lost by it."""

from __future__ import annotations

import json
from typing import Any

_WORDS = {
    "directive.drafted": "Drafted version {version}",
    "directive.edited": "Changed draft version {version}",
    "directive.submitted": "Asked for approval of version {version}",
    "directive.approved": "Version {version} is approved",
    "directive.rejected": "Version {version} is rejected",
    "directive.withdrawn": "Took version {version} back",
    "directive.activated": "Put version {version} in force",
    "directive.suspended": "Suspended",
    "directive.resumed": "In force again",
    "directive.rescinded": "Rescinded",
    "directive.expired": "Its term ended",
    "directive.confirmed": "Confirmed the emergency activation",
    "directive.escalated": "The emergency activation is not confirmed in time",
    "approval.opened": "Asked for a decision: {stages}",
    "approval.approved": "The request is approved",
    "approval.rejected": "The request is rejected",
    "approval.withdrawn": "The request is withdrawn",
    "exception.filed": "Asked for an exception, {days} days",
    "exception.approved": "The exception is approved",
    "exception.rejected": "The exception is rejected",
    "exception.withdrawn": "Took the exception back",
    "exception.edited": "Changed the exception; decisions made void: {void}",
    "exception.asked_for": "Asked that an exception be filed",
    "exception.declined": "Declined to file an exception",
    "exception.taken_back": "Took back what was asked for",
    "run.created": "The run began",
    "run.chunk_done": "Chunk {chunk} is written: {added} restrictions added, {released} released",
    "run.finished": "The run finished: {added} added, {released} released, drift {drift}",
    "run.cancelled": "The run is cancelled",
    "look.list": "Looked at the list of {what}",
    "person.revealed": "Looked at citizenship and residency, to “{purpose}”",
    "licence.registered": "Registered a licence for {people} people",
    "drift.repaired": "Repaired the lists",
    "waivers.ended": "Ended waivers",
    "people.imported": "Imported people",
    "catalog.loaded": "Loaded the catalog",
    "account.created": "Created an account",
    "directive.message_worded": "Changed the words of version {version} for one audience",
    "directive.messages_held": "Set when the messages of version {version} go out",
    "announcement.begun": "People are to be told",
    "announcement.released": "Released the messages of version {version}",
    "announcement.chunk_done": "Chunk {chunk} is written: {off} told that access is off, {back} that it is back",
    "announcement.written": "Every message is written, {managers} of them to managers",
    "announcement.finished": "{messages} messages are through",
    "announcement.stopped": "Stopped the messages; {not_sent} were not sent",
    "announcement.overtaken": "Overtaken before it was written: the next one tells what is true",
    "announcement.corrected": "Sent a correction to {people} people",
    "announcement.bounced": "A message came back ({status})",
    "announcement.sent_again": "Sent one message again, by hand",
}
_ICONS = {
    "directive": "git-branch", "approval": "stamp", "exception": "file-plus", "run": "activity", "look": "eye",
    "person": "eye", "licence": "file-text", "waivers": "shield-check",
    "announcement": "mail-check",
}  # fmt: skip
_TONES = {
    "directive.activated": "ok", "directive.resumed": "ok", "directive.approved": "ok", "approval.approved": "ok",
    "exception.approved": "keep", "directive.suspended": "warn", "directive.escalated": "warn", "run.finished": "ok",
    "approval.opened": "info", "directive.submitted": "info", "exception.filed": "info",
}  # fmt: skip


class _Data(dict[str, Any]):
    """What an entry does not state is left out of its sentence."""

    def __missing__(self, key: str) -> str:
        return "–"


def data_of(record: str) -> dict[str, Any]:
    """An entry's data, empty where the record is of another shape."""
    try:
        found = json.loads(record).get("data", {})
    except (ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def sentence(action: str, record: str) -> str:
    data = data_of(record)
    if action == "approval.voted":
        verdict = {"approve": "Approved", "reject": "Rejected"}.get(str(data.get("verdict")), "Decided")
        return f"{verdict} at the stage “{data.get('stage', '–')}”"
    words = _WORDS.get(action)
    if words is None:
        subject, _, what = action.partition(".")
        return f"{subject.capitalize()}: {what.replace('_', ' ')}"
    return words.format_map(_Data({key: _as_text(value) for key, value in data.items()}))


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return ", then ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def icon(action: str) -> str:
    return _ICONS.get(action.partition(".")[0], "check")


def tone(action: str) -> str:
    return _TONES.get(action, "none")
