"""Files that exceptions rest on: judged by their content, kept outside the database and outside what is served.

A file lies under its own SHA-256 in ``DATA_DIR``, so the same bytes are kept once and cannot change unseen. What no row names
(a filing that was refused after its files were stored) is harmless.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import puremagic
from django.conf import settings

from governance.errors import Invalid, NotFound
from governance.waivers.models import ExceptionAttachment

MOST_BYTES = 5 * 1024 * 1024
MOST_FILES = 5
_LONGEST_NAME = 200
_SURE = 0.5
_BY_MAGIC = {
    "application/pdf": ("PDF", (".pdf",)),
    "image/png": ("PNG image", (".png",)),
    "image/jpeg": ("JPEG image", (".jpg", ".jpeg")),
}
_TEXT = "text/plain"
_KINDS = _BY_MAGIC | {_TEXT: ("plain text", (".txt", ".md", ".csv", ".log"))}
ACCEPTED = ", ".join(ending for _, endings in _KINDS.values() for ending in endings)


@dataclass(frozen=True)
class Attached:
    """A file that was judged and stored: what rows, digests and the ledger say of it."""

    name: str
    media_type: str
    size: int
    sha256: str

    @classmethod
    def of(cls, row: ExceptionAttachment) -> Attached:
        return cls(row.name, row.media_type, row.size, row.sha256)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Attached:
        return cls(value["name"], value["media_type"], value["size"], value["sha256"])

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def store(name: str, content: bytes) -> Attached:
    """Judge a file and keep it. Raises ``Invalid`` for one that is empty, too large, or not of a kind that is taken."""
    name = _name(name)
    if not content:
        raise _unfit(f"{name} is empty")
    if len(content) > MOST_BYTES:
        raise _unfit(f"{name} is larger than {MOST_BYTES // 1024 // 1024} MB")
    media_type = _kind(name, content)
    words, endings = _KINDS[media_type]
    if not name.lower().endswith(endings):
        raise _unfit(f"{name} holds {words} by its content, which its name does not say: {' or '.join(endings)}")
    sha256 = hashlib.sha256(content).hexdigest()
    _write(_place(sha256), content)
    return Attached(name, media_type, len(content), sha256)


def read(attached: Attached) -> bytes:
    """The bytes of a file, if they are still those that were attached."""
    try:
        content = _place(attached.sha256).read_bytes()
    except FileNotFoundError:
        raise NotFound(f"The file {attached.name} is not on this machine.") from None
    if hashlib.sha256(content).hexdigest() != attached.sha256:
        raise NotFound(f"The file {attached.name} is not what was attached any more; it is not given out.")
    return content


def _kind(name: str, content: bytes) -> str:
    try:
        likely = {found.mime_type: found.confidence for found in puremagic.magic_string(content) if found.offset == 0}
    except puremagic.PureError:
        likely = {}
    for media_type in _BY_MAGIC:
        if media_type in likely:
            return media_type
    # A page or a program that is written as text is no plain text; two letters that some format begins with say nothing.
    if max(likely.values(), default=0) < _SURE and _is_text(content):
        return _TEXT
    raise _unfit(f"{name} is of a kind that is not taken. Taken are PDF, PNG, JPEG and plain text, judged by content")


def _is_text(content: bytes) -> bool:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not any(unicodedata.category(mark) == "Cc" and mark not in "\t\n\r\f" for mark in text)


def _name(given: str) -> str:
    name = given.replace("\\", "/").rpartition("/")[2].strip()
    name = "".join(mark for mark in name if unicodedata.category(mark)[0] != "C")
    return name[-_LONGEST_NAME:] or "file"


def _unfit(words: str) -> Invalid:
    return Invalid("A file is not acceptable.", [("attachments", words)])


def _place(sha256: str) -> Path:
    return Path(settings.MEDIA_ROOT) / "exceptions" / sha256[:2] / sha256


def _write(place: Path, content: bytes) -> None:
    """Whole or not at all, and on the disk before a row names it."""
    if place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(place)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
