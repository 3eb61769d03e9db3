"""Reading the catalog's sections of a scenario file, with the path of every error."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from governance import values
from governance.catalog.models import AIModel, Audience, Capability, Provider, Stage
from governance.errors import Invalid
from governance.rules import language
from governance.rules.language import RuleError
from governance.values import Unfit, longest

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True)
class ProviderLine:
    slug: str
    name: str
    own: bool


@dataclass(frozen=True)
class CapabilityLine:
    slug: str
    name: str
    domain: str
    tier: int


@dataclass(frozen=True)
class ItemLine:
    capability: str
    enabled: bool
    audience: str | None


@dataclass(frozen=True)
class ModelLine:
    slug: str
    name: str
    provider: str
    stage: str
    derived_from: str | None
    capabilities: tuple[ItemLine, ...]


@dataclass
class CatalogDocument:
    providers: list[ProviderLine] = field(default_factory=list)
    capabilities: list[CapabilityLine] = field(default_factory=list)
    audiences: dict[str, Any] = field(default_factory=dict)
    models: list[ModelLine] = field(default_factory=list)


class _Reader:
    def __init__(self) -> None:
        self.errors: list[tuple[str, str]] = []

    def error(self, path: str, message: str) -> None:
        self.errors.append((path, message))

    def rows(self, document: Mapping[str, Any], section: str) -> list[tuple[str, Mapping[str, Any]]]:
        rows = document.get(section) or []
        if not isinstance(rows, list):
            self.error(section, "must be a list")
            return []
        found: list[tuple[str, Mapping[str, Any]]] = []
        seen: set[str] = set()
        for index, row in enumerate(rows):
            path = f"{section}[{index}]"
            if not isinstance(row, Mapping):
                self.error(path, "must be a mapping")
                continue
            if isinstance(slug := row.get("slug"), str):
                if slug in seen:
                    self.error(f"{path}.slug", "stands there twice")
                seen.add(slug)
            found.append((path, row))
        return found

    def slug(self, row: Mapping[str, Any], path: str) -> str:
        return self.check_slug(row.get("slug"), f"{path}.slug")

    def check_slug(self, value: object, path: str) -> str:
        limit = longest(AIModel, "slug")
        if not isinstance(value, str) or not _SLUG.fullmatch(value) or len(value) > limit:
            self.error(path, f"must be at most {limit} lower-case letters and digits with dashes between")
            return ""
        return value

    def text(self, row: Mapping[str, Any], name: str, path: str, limit: int) -> str:
        value = row.get(name)
        try:
            if value is None or (isinstance(value, str) and not value.strip()):
                raise Unfit("is required")
            return values.text(value, limit)
        except Unfit as unfit:
            self.error(f"{path}.{name}", unfit.reason)
            return ""

    def one_of(self, value: object, path: str, known: Collection[str], what: str) -> str | None:
        try:
            return values.one_of(value, known, what)
        except Unfit as unfit:
            self.error(path, unfit.reason)
            return None

    def entries(self, section: object, path: str, what: str) -> list[tuple[str, object]]:
        """The entries of a mapping whose names are text; a name that is none is refused."""
        if not section:
            return []
        if not isinstance(section, Mapping):
            self.error(path, what)
            return []
        found = [(name, value) for name, value in section.items() if isinstance(name, str)]
        if len(found) < len(section):
            self.error(path, "has a name that is not text")
        return found

    def flag(self, row: Mapping[str, Any], name: str, path: str) -> bool:
        value = row.get(name, False)
        if not isinstance(value, bool):
            self.error(f"{path}.{name}", "must be true or false")
        return value is True


def read(document: object) -> CatalogDocument:
    """The catalog's sections; any subset may be present. Raises ``Invalid`` with every error's path."""
    reader, found = _Reader(), CatalogDocument()
    if not isinstance(document, Mapping):
        raise Invalid("The file is not acceptable.", [("$", "must be a mapping of sections")])
    for path, row in reader.rows(document, "providers"):
        found.providers.append(
            ProviderLine(
                reader.slug(row, path),
                reader.text(row, "name", path, longest(Provider, "name")),
                reader.flag(row, "own", path),
            )
        )
    for path, row in reader.rows(document, "capabilities"):
        found.capabilities.append(_capability(reader, row, path))
    _audiences(reader, document.get("audiences"), found)
    known = _Known.of(found, document)
    for path, row in reader.rows(document, "models"):
        found.models.append(_model(reader, row, path, known))
    _refuse_circles(reader, found.models)
    if reader.errors:
        raise Invalid("The file is not acceptable.", reader.errors)
    return found


def _capability(reader: _Reader, row: Mapping[str, Any], path: str) -> CapabilityLine:
    try:
        tier = values.whole_number(row.get("tier"), 1, 4)
    except Unfit as unfit:
        reader.error(f"{path}.tier", unfit.reason)
        tier = 4
    return CapabilityLine(
        reader.slug(row, path),
        reader.text(row, "name", path, longest(Capability, "name")),
        reader.text(row, "domain", path, longest(Capability, "domain")),
        tier,
    )


def _audiences(reader: _Reader, section: object, found: CatalogDocument) -> None:
    for slug, rule in reader.entries(section, "audiences", "must be a mapping from names to rules"):
        reader.check_slug(slug, f"audiences.{slug}")
        try:
            found.audiences[slug] = language.dump(language.parse(values.plain(rule)))
        except Unfit as unfit:
            reader.error(f"audiences.{slug}{unfit.path}", unfit.reason)
        except RuleError as error:
            for where, message in error.errors:
                reader.error(f"audiences.{slug}{where.removeprefix('$')}", message)


@dataclass(frozen=True)
class _Known:
    """Slugs that a model may refer to: those stored and those of the file."""

    providers: frozenset[str]
    capabilities: frozenset[str]
    audiences: frozenset[str]
    models: frozenset[str]

    @classmethod
    def of(cls, found: CatalogDocument, document: Mapping[str, Any]) -> _Known:
        def slugs(model: Any) -> set[str]:
            return set(model.objects.values_list("slug", flat=True))

        rows = document.get("models")
        named = [row.get("slug") for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
        audiences = document.get("audiences")
        return cls(
            frozenset(slugs(Provider) | {line.slug for line in found.providers}),
            frozenset(slugs(Capability) | {line.slug for line in found.capabilities}),
            frozenset(slugs(Audience) | (set(audiences) if isinstance(audiences, Mapping) else set())),
            frozenset(slugs(AIModel) | {slug for slug in named if isinstance(slug, str)}),
        )


def _model(reader: _Reader, row: Mapping[str, Any], path: str, known: _Known) -> ModelLine:
    stage, parent = row.get("stage"), row.get("derived_from")
    if not isinstance(stage, str) or stage not in Stage.values:
        reader.error(f"{path}.stage", f"must be one of {', '.join(Stage.values)}")
        stage = ""
    section = reader.entries(
        row.get("capabilities"), f"{path}.capabilities", "must be a mapping from capabilities to their settings"
    )
    return ModelLine(
        slug=reader.slug(row, path),
        name=reader.text(row, "name", path, longest(AIModel, "name")),
        provider=reader.one_of(row.get("provider"), f"{path}.provider", known.providers, "provider") or "",
        stage=stage,
        derived_from=None if parent is None else reader.one_of(parent, f"{path}.derived_from", known.models, "model"),
        capabilities=tuple(
            _item(reader, name, settings, f"{path}.capabilities.{name}", known) for name, settings in section
        ),
    )


def _item(reader: _Reader, name: str, settings: object, path: str, known: _Known) -> ItemLine:
    reader.one_of(name, path, known.capabilities, "capability")
    if not isinstance(settings, Mapping):
        reader.error(path, "must be a mapping with enabled and audience")
        return ItemLine(name, False, None)
    audience = settings.get("audience")
    if audience is not None:
        audience = reader.one_of(audience, f"{path}.audience", known.audiences, "audience")
    return ItemLine(name, reader.flag(settings, "enabled", path), audience)


def _refuse_circles(reader: _Reader, lines: list[ModelLine]) -> None:
    parents = dict(AIModel.objects.values_list("slug", "derived_from__slug"))
    parents |= {line.slug: line.derived_from for line in lines}
    for index, line in enumerate(lines):
        seen, at = {line.slug}, line.derived_from
        while at is not None and at not in seen:
            seen.add(at)
            at = parents.get(at)
        if at is not None:
            reader.error(f"models[{index}].derived_from", "a model cannot derive from itself")
