"""Reading the ``directives`` and ``alternatives`` of a scenario file (CONTRACTS.md, *Files*)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from governance.directives.content import CaseLine, DirectiveStatement, Reader
from governance.directives.models import Alternative, CaseItem, Directive, DirectiveKind, Effect
from governance.values import Unfit, longest, plain

REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
ReadFile = Callable[[str], bytes]


def read_directives(document: Mapping[str, Any], read_file: ReadFile) -> list[DirectiveStatement]:
    """The directives of a file; ``read_file`` brings the bytes of a file that the case names, by its name.

    The file's ``alternatives`` are attached to the first directive. Raises ``Invalid`` with every error's path.
    """
    reader = Reader.of_catalog()
    entries = document.get("directives") or []
    if not isinstance(entries, Sequence) or isinstance(entries, str) or not entries:
        reader.error("directives", "the file holds no directives")
        entries = []
    alternatives = _alternatives(reader, document.get("alternatives"))
    found = []
    for index, entry in enumerate(entries):
        path = f"directives[{index}]"
        if not isinstance(entry, Mapping):
            reader.error(path, "must be a mapping")
            continue
        found.append(_directive(reader, entry, path, read_file, alternatives if index == 0 else ()))
    references = [statement.reference for statement in found]
    for reference in sorted({name for name in references if name and references.count(name) > 1}):
        reader.error("directives", f"{reference} stands there twice")
    reader.finish("The file")
    return found


def _directive(
    reader: Reader, entry: Mapping[str, Any], path: str, read_file: ReadFile, alternatives: Sequence[Any]
) -> DirectiveStatement:
    reference = reader.text(entry, "reference", path, required=True, limit=longest(Directive, "reference"))
    if reference and not REFERENCE.fullmatch(reference):
        reader.error(f"{path}.reference", "may hold letters, digits, dots, dashes and underscores")
    kind = reader.choice(entry, "kind", path, DirectiveKind, DirectiveKind.ORDER)
    immediately = entry.get("comply_by") == "immediately"
    return DirectiveStatement(
        reference=reference,
        title=reader.text(entry, "title", path, required=True, limit=longest(Directive, "title")),
        version=reader.version(entry, path),
        kind=kind,
        authority=reader.text(entry, "authority", path, limit=longest(Directive, "authority")),
        received_at=reader.time(entry, "received_at", path),
        comply_by=None if immediately else reader.time(entry, "comply_by", path),
        comply_immediately=immediately,
        position=reader.text(entry, "position", path),
        case_file=tuple(
            _case_line(reader, line, here, read_file)
            for here, line in reader.rows(entry.get("case_file"), f"{path}.case_file")
        ),
        comparables=tuple(
            _comparable(reader, line, here)
            for here, line in reader.rows(entry.get("comparables"), f"{path}.comparables")
        ),
        alternatives=tuple(alternatives),
    )


def _case_line(reader: Reader, line: Mapping[str, Any], path: str, read_file: ReadFile) -> CaseLine:
    at = reader.time(line, "at", path)
    if line.get("at") in (None, ""):
        reader.error(f"{path}.at", "is required")
    name = reader.text(line, "file", path, limit=longest(CaseItem, "file_name"))
    content = None
    if name:
        try:
            content = read_file(name)
        except (OSError, RuntimeError):  # links in a circle are a RuntimeError
            reader.error(f"{path}.file", f"{name} cannot be read")
    return CaseLine(
        at=at,  # type: ignore[arg-type]  # an error was noted; nothing is stored then
        kind=reader.text(line, "kind", path, required=True, limit=longest(CaseItem, "kind")),
        title=reader.text(line, "title", path, required=True, limit=longest(CaseItem, "title")),
        model_id=reader.model(line["model"], f"{path}.model") if line.get("model") else None,
        state=reader.text(line, "state", path, limit=longest(CaseItem, "state")),
        file_name=name,
        content=content,
    )


def _comparable(reader: Reader, line: Mapping[str, Any], path: str) -> tuple[int, int, str]:
    model_id = reader.model(line.get("model"), f"{path}.model")
    capability_id = reader.capability(line.get("capability"), f"{path}.capability")
    return model_id or 0, capability_id or 0, reader.text(line, "note", path)


def _alternatives(reader: Reader, entries: Any) -> list[tuple[str, str, dict[str, Any]]]:
    found: list[tuple[str, str, dict[str, Any]]] = []
    for path, entry in reader.rows(entries, "alternatives"):
        slug = reader.text(entry, "slug", path, required=True, limit=longest(Alternative, "slug"))
        title = reader.text(entry, "title", path, required=True, limit=longest(Alternative, "title"))
        if slug and slug in (other for other, _, _ in found):
            reader.error(f"{path}.slug", "stands there twice")
        found.append((slug, title, _reading(reader, entry, path)))
    return found


def _reading(reader: Reader, entry: Mapping[str, Any], path: str) -> dict[str, Any]:
    """What an alternative states itself, as JSON values."""
    stated = {key: value for key, value in entry.items() if key not in ("slug", "title") and value is not None}
    if "rule" in entry:
        stated["rule"] = reader.rule(entry["rule"], f"{path}.rule")
    if "scope" in entry:
        reader.scope(entry["scope"], f"{path}.scope")
    if "on_unknown" in entry:
        reader.unknown_policy(entry["on_unknown"], f"{path}.on_unknown")
    reader.choice(entry, "effect", path, Effect, Effect.DENY)
    reader.flag(entry, "include_derived", path)
    try:
        return plain(stated)  # type: ignore[no-any-return]
    except Unfit as unfit:
        reader.unfit(path, unfit)
        return {}
