"""Reading people and organisations from CSV or XLSX files: every bad row with its file, line, column and reason.

A reason never repeats a value of a sensitive column.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from governance.people.models import OrganisationType, PersonKind, PersonStatus, VettingStatus
from governance.rules.countries import COUNTRIES
from governance.values import storable

PERSON_COLUMNS = (
    "person_id", "kind", "given_name", "family_name", "email", "org_id", "department", "title", "manager_id", "status",
    "citizenships", "permanent_residences", "protected_status", "residence_country", "location_country", "start_date",
)  # fmt: skip
ORGANISATION_COLUMNS = (
    "org_id", "name", "type", "country", "parent_org_id", "vetting_status", "vetting_expires",
)  # fmt: skip


@dataclass(frozen=True)
class RowError:
    file: str
    line: int
    column: str
    reason: str

    def as_json(self) -> dict[str, Any]:
        return {"file": self.file, "line": self.line, "column": self.column, "reason": self.reason}

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}, column {self.column or '–'}: {self.reason}"


@dataclass
class Parsed:
    """Rows as tuples in column order, each with its line; ``digests`` are SHA-256 (hex) of the files' bytes."""

    people: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    organisations: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    people_file: str = ""
    organisations_file: str = ""


class _Bad(ValueError):
    pass


def _text(limit: int, *, required: bool = False) -> Callable[[str], Any]:
    def read(value: str) -> str | None:
        if not storable(value):
            raise _Bad("holds a character that is not allowed")
        if len(value) > limit:
            raise _Bad(f"is longer than {limit} characters")
        if required and not value:
            raise _Bad("is required")
        return value

    return read


# Ids stand in addresses, ledger subjects and answers of the API: no slash, no space, nothing that needs quoting.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")


def _id(value: str) -> str:
    value = _text(100, required=True)(value)
    if not _ID.fullmatch(value):
        raise _Bad("may hold letters, digits, dots, dashes, underscores and colons, and begins with a letter or digit")
    return value


def _none_if_empty(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda value: read(value) if value else None


def _choice(choices: Any, *, required: bool) -> Callable[[str], Any]:
    def read(value: str) -> str | None:
        if not value and not required:
            return None
        if value not in choices.values:
            raise _Bad(f"must be one of {', '.join(choices.values)}")
        return value

    return read


def _country(value: str) -> str | None:
    if not value:
        return None
    if value not in COUNTRIES:
        raise _Bad("is not an ISO 3166-1 alpha-2 country code")
    return value


def _countries(value: str) -> list[str] | None:
    if not value:
        return None
    if value == "none":
        return []
    codes = [code.strip() for code in value.split(";")]
    if any(code not in COUNTRIES for code in codes):
        raise _Bad("is not a list of ISO 3166-1 alpha-2 country codes, separated by semicolons, or none")
    return sorted(set(codes))


def _boolean(value: str) -> bool | None:
    known = {"": None, "yes": True, "no": False, "true": True, "false": False}
    if value.lower() not in known:
        raise _Bad("must be yes, no or empty")
    return known[value.lower()]


def _date(value: str) -> date | None:
    if not value:
        return None
    try:
        if len(value) != 10:
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise _Bad("is not a date such as 2026-06-12") from None


def _email(value: str) -> str:
    try:
        validate_email(_text(254)(value))
    except ValidationError:
        raise _Bad("is not an e-mail address") from None
    return value


_PERSON: dict[str, Callable[[str], Any]] = {
    "person_id": _id,
    "kind": _choice(PersonKind, required=True),
    "given_name": _text(100, required=True),
    "family_name": _text(100),
    "email": _email,
    "org_id": _none_if_empty(_text(100)),
    "department": _none_if_empty(_text(100)),
    "title": _text(150),
    "manager_id": _none_if_empty(_text(100)),
    "status": _choice(PersonStatus, required=True),
    "citizenships": _countries,
    "permanent_residences": _countries,
    "protected_status": _boolean,
    "residence_country": _country,
    "location_country": _country,
    "start_date": _date,
}
_ORGANISATION: dict[str, Callable[[str], Any]] = {
    "org_id": _id,
    "name": _text(200, required=True),
    "type": _choice(OrganisationType, required=False),
    "country": _country,
    "parent_org_id": _none_if_empty(_text(100)),
    "vetting_status": _choice(VettingStatus, required=False),
    "vetting_expires": _date,
}


def read_files(*, people: Path | None, organisations: Path | None) -> Parsed:
    """Read both files (either may be missing). Errors are collected, never raised; a file with any is not to be used."""
    parsed = Parsed()
    if organisations is not None:
        parsed.organisations_file = organisations.name
        parsed.organisations = _read(parsed, organisations, ORGANISATION_COLUMNS, _ORGANISATION, "org_id", None)
    if people is not None:
        parsed.people_file = people.name
        parsed.people = _read(parsed, people, PERSON_COLUMNS, _PERSON, "person_id", "email")
    return parsed


def _read(
    parsed: Parsed,
    path: Path,
    columns: tuple[str, ...],
    readers: dict[str, Callable[[str], Any]],
    key: str,
    unique: str | None,
) -> list[tuple[int, dict[str, Any]]]:
    found: list[tuple[int, dict[str, Any]]] = []
    seen: dict[tuple[str, str], int] = {}

    def error(line: int, column: str, reason: str) -> None:
        parsed.errors.append(RowError(path.name, line, column, reason))

    try:
        content = path.read_bytes()
    except OSError as problem:
        error(0, "", f"the file cannot be read: {problem.strerror}")
        return found
    parsed.digests[path.name] = hashlib.sha256(content).hexdigest()
    header: list[str] | None = None
    for line, cells in _lines(path, content, error):
        if header is None:
            header = [cell.strip() for cell in cells]
            if sorted(header) != sorted(columns):
                missing, extra = sorted(set(columns) - set(header)), sorted(set(header) - set(columns))
                error(line, "", f"wrong header: missing {', '.join(missing) or '–'}; unknown {', '.join(extra) or '–'}")
                return found
            continue
        if not any(cells):
            continue
        if len(cells) != len(columns):
            error(line, "", f"has {len(cells)} columns instead of {len(columns)}")
            continue
        row = _row(dict(zip(header, cells, strict=True)), readers, line, error)
        for name in (key, unique):
            value = row.get(name) if name else None
            if name and isinstance(value, str) and value:
                first = seen.setdefault((name, value.lower() if name == unique else value), line)
                if first != line:
                    error(line, name, f"stands in line {first} already")
        found.append((line, row))
    if header is None and not parsed.errors:
        error(1, "", "the file is empty")
    return found


def _row(
    cells: dict[str, str],
    readers: dict[str, Callable[[str], Any]],
    line: int,
    error: Callable[[int, str, str], None],
) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column, read in readers.items():
        try:
            row[column] = read(cells[column].strip())
        except _Bad as bad:
            error(line, column, str(bad))
            row[column] = None
    return row


def _lines(path: Path, content: bytes, error: Callable[[int, str, str], None]) -> Iterator[tuple[int, list[str]]]:
    if path.suffix.lower() == ".xlsx":
        yield from _sheet(content, error)
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        error(content[: problem.start].count(b"\n") + 1, "", "is not UTF-8")
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        try:
            cells = next(reader)
            yield reader.line_num, cells
        except StopIteration:
            return
        except csv.Error as problem:
            error(reader.line_num, "", f"is not valid CSV: {problem}")
            return


def _sheet(content: bytes, error: Callable[[int, str, str], None]) -> Iterator[tuple[int, list[str]]]:
    from openpyxl import load_workbook

    try:
        sheet = load_workbook(io.BytesIO(content), read_only=True, data_only=True).worksheets[0]
        for line, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            yield line, [_cell(value) for value in cells]
    except Exception as problem:  # openpyxl raises many kinds for a file that is none
        error(0, "", f"is not a readable XLSX file ({type(problem).__name__})")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).strip()
