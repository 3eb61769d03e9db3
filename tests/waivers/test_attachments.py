"""Files of exceptions: judged by content, kept outside what is served, part of what is decided on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from governance.enforcement.services.exceptions import Wanted, edit_exception, file_exceptions
from governance.errors import Invalid, NotFound, WrongState
from governance.ledger.models import Entry
from governance.waivers import attachments
from governance.waivers.attachments import Attached, store
from governance.waivers.models import ExceptionAttachment, ExceptionRequest
from governance.waivers.services import decide_exception
from tests.conftest import REFERENCE
from tests.waivers.test_exceptions import approve

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\0" * 40


@pytest.fixture(autouse=True)
def place(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def file(actor: Any, *files: Attached, person: str = "p009") -> ExceptionRequest:
    (request,) = file_exceptions(
        actor=actor, reference=REFERENCE, wanted=[Wanted(person, [("fable-5", "use")])], days=10, reason="evaluation",
        attached=files,
    )  # fmt: skip
    return request


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("plan.pdf", PDF, "application/pdf"), ("shot.PNG", PNG, "image/png"), ("shot.jpeg", JPEG, "image/jpeg"),
        ("notes.txt", "Grüße, BM is a name\n".encode(), "text/plain"), ("BM.csv", b"BM,1\n", "text/plain"),
    ],
)  # fmt: skip
def test_what_is_taken_lies_under_its_digest(name: str, content: bytes, media_type: str, place: Path) -> None:
    stored = store(name, content)
    assert (stored.media_type, stored.size) == (media_type, len(content))
    path = place / "exceptions" / stored.sha256[:2] / stored.sha256
    assert stored.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.stat().st_mode & 0o077 == 0
    assert attachments.read(stored) == content


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.pdf", b"", "is empty"), ("a.pdf", PNG, "holds PNG image"), ("a.txt", PDF, "holds PDF"),
        ("a.exe", b"MZ" + b"\0" * 80, "not taken"), ("a.txt", b"\x00\x01\x02", "not taken"),
        ("a.txt", b"<!DOCTYPE html><script>alert(1)</script>", "not taken"), ("a.pdf", b"PK\x03\x04" + b"\0" * 40, "not taken"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not taken|does not say"),
        ("a.html", b"plain words", "does not say"), ("a.txt", b"x" * (attachments.MOST_BYTES + 1), "larger than 5 MB"),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_named_and_not_kept(name: str, content: bytes, reason: str, place: Path) -> None:
    with pytest.raises(Invalid, match=reason) as refusal:
        store(name, content)
    assert refusal.value.errors[0][0] == "attachments"
    assert not list(place.rglob("*"))


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.txt", "C:\\dir\\x.txt", "a\r\nSet-Cookie: x.txt", "\u202etxt.txt", "x" * 400 + ".txt"]
)
def test_a_name_is_a_name_and_no_path(name: str) -> None:
    stored = store(name, b"words")
    assert not set(stored.name) & set("/\\\r\n\u202e")
    assert len(stored.name) <= 200


def test_files_are_part_of_what_is_decided_on_and_of_the_record(act_as: Any, in_force: Any) -> None:
    plain, with_file = file(act_as("hana")), file(act_as("hana"), store("plan.pdf", PDF), person="p010")
    assert plain.digest != with_file.digest
    entry = json.loads(Entry.objects.filter(action="exception.filed").latest("id").record)
    assert entry["data"]["attachments"] == [hashlib.sha256(PDF).hexdigest()]
    approve(act_as, with_file, "idris", "peter")
    with_file.refresh_from_db()
    assert with_file.state == "approved"


def test_a_file_added_after_filing_is_an_edit(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    void = edit_exception(
        actor=act_as("hana"), exception_id=request.pk, items=[("fable-5", "use")], days=10, reason="evaluation",
        attached=[store("plan.pdf", PDF)],
    )  # fmt: skip
    assert void == 1
    assert request.attachments.count() == 1
    with pytest.raises(DatabaseError, match="only by an edit"), transaction.atomic():
        ExceptionAttachment.objects.create(request=request, **store("b.txt", b"b").as_json())
    with pytest.raises(DatabaseError, match="only by an edit"), transaction.atomic():
        request.attachments.all().delete()
    approve(act_as, request, "idris", "peter")


def test_a_row_added_past_the_triggers_is_not_decided(act_as: Any, in_force: Any) -> None:
    from django.db import connection

    request = file(act_as("hana"))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        ExceptionAttachment.objects.create(request=request, **store("b.txt", b"b").as_json())
        cursor.execute("SET LOCAL session_replication_role = origin")
    with pytest.raises(WrongState, match="not what was filed"):
        decide_exception(actor=act_as("idris"), exception_id=request.pk, verdict="approve")


def test_at_most_five_files(act_as: Any, in_force: Any) -> None:
    with pytest.raises(Invalid, match="at most 5"):
        file(act_as("hana"), *(store(f"{n}.txt", str(n).encode()) for n in range(6)))


def test_a_file_is_given_out_to_those_who_decide_and_always_to_be_saved(
    act_as: Any, sign_in: Any, in_force: Any
) -> None:
    request = file(act_as("hana"), store("Plan für Wei.pdf", PDF))
    address = f"/exceptions/{request.pk}/files/{request.attachments.get().pk}"
    for name in ("hana", "idris", "peter", "lucia", "auditor", "maren"):
        response = sign_in(name).get(address)
        assert response.content == PDF
        assert response["Content-Disposition"].startswith("attachment; filename*=utf-8''Plan%20f")
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Cache-Control"] == "no-store"
    for name in ("wei", "jonas", "teo", "admin"):
        assert sign_in(name).get(address).status_code == 404
    other = file(act_as("hana"), person="p010")
    assert sign_in("hana").get(f"/exceptions/{other.pk}/files/{request.attachments.get().pk}").status_code == 404


def test_bytes_that_changed_on_the_disk_are_not_given_out(place: Path) -> None:
    stored = store("a.txt", b"words")
    path = place / "exceptions" / stored.sha256[:2] / stored.sha256
    path.chmod(0o600)
    path.write_bytes(b"other")
    with pytest.raises(NotFound, match="not what was attached"):
        attachments.read(stored)
    path.unlink()
    with pytest.raises(NotFound, match="not on this machine"):
        attachments.read(stored)
