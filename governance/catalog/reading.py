"""Reading the catalog's sections of a scenario file, with the path of every error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from governance.catalog.models import AIModel, Audience, Capability, Provider, Stage
from governance.errors import Invalid
from governance.rules import language
from governance.rules.language import RuleError

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
        found, seen = [], set()
        for index, row in enumerate(rows):
            path = f"{section}[{index}]"
            if not isinstance(row, Mapping):
                self.error(path, "must be a mapping")
                continue
            if row.get("slug") in seen:
                self.error(f"{path}.slug", "stands there twice")
            seen.add(row.get("slug"))
            found.append((path, row))
        return found

    def slug(self, row: Mapping[str, Any], path: str) -> str:
        return self.check_slug(row.get("slug"), f"{path}.slug")

    def check_slug(self, value: object, path: str) -> str:
        if not isinstance(value, str) or not _SLUG.fullmatch(value) or len(value) > 60:
            self.error(path, "must be lower-case letters and digits with dashes between")
            return ""
        return value

    def text(self, row: Mapping[str, Any], name: str, path: str) -> str:
        value = row.get(name)
        if not isinstance(value, str) or not value.strip():
            self.error(f"{path}.{name}", "is required")
            return ""
        return value

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
            ProviderLine(reader.slug(row, path), reader.text(row, "name", path), reader.flag(row, "own", path))
        )
    for path, row in reader.rows(document, "capabilities"):
        found.capabilities.append(_capability(reader, row, path))
    _audiences(reader, document.get("audiences") or {}, found)
    known = _Known.of(found, document)
    for path, row in reader.rows(document, "models"):
        found.models.append(_model(reader, row, path, known))
    _refuse_circles(reader, found.models)
    if reader.errors:
        raise Invalid("The file is not acceptable.", reader.errors)
    return found


def _capability(reader: _Reader, row: Mapping[str, Any], path: str) -> CapabilityLine:
    tier = row.get("tier")
    if not isinstance(tier, int) or isinstance(tier, bool) or not 1 <= tier <= 4:
        reader.error(f"{path}.tier", "must be a whole number from 1 to 4")
        tier = 4
    return CapabilityLine(
        reader.slug(row, path), reader.text(row, "name", path), reader.text(row, "domain", path), tier
    )


def _audiences(reader: _Reader, section: object, found: CatalogDocument) -> None:
    if not isinstance(section, Mapping):
        reader.error("audiences", "must be a mapping from names to rules")
        return
    for slug, rule in section.items():
        reader.check_slug(slug, f"audiences.{slug}")
        try:
            found.audiences[str(slug)] = language.dump(language.parse(rule))
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

        rows = document.get("models") or []
        named = {row.get("slug") for row in rows if isinstance(row, Mapping)} if isinstance(rows, list) else set()
        audiences = document.get("audiences")
        return cls(
            frozenset(slugs(Provider) | {line.slug for line in found.providers}),
            frozenset(slugs(Capability) | {line.slug for line in found.capabilities}),
            frozenset(slugs(Audience) | (set(audiences) if isinstance(audiences, Mapping) else set())),
            frozenset(slugs(AIModel) | {str(slug) for slug in named}),
        )


def _model(reader: _Reader, row: Mapping[str, Any], path: str, known: _Known) -> ModelLine:
    if row.get("provider") not in known.providers:
        reader.error(f"{path}.provider", f"there is no provider {row.get('provider')}")
    if row.get("stage") not in Stage.values:
        reader.error(f"{path}.stage", f"must be one of {', '.join(Stage.values)}")
    parent = row.get("derived_from")
    if parent is not None and parent not in known.models:
        reader.error(f"{path}.derived_from", f"there is no model {parent}")
    section = row.get("capabilities") or {}
    if not isinstance(section, Mapping):
        reader.error(f"{path}.capabilities", "must be a mapping from capabilities to their settings")
        section = {}
    return ModelLine(
        slug=reader.slug(row, path),
        name=reader.text(row, "name", path),
        provider=str(row.get("provider")),
        stage=str(row.get("stage")),
        derived_from=parent,
        capabilities=tuple(
            _item(reader, str(name), settings, f"{path}.capabilities.{name}", known)
            for name, settings in section.items()
        ),
    )


def _item(reader: _Reader, name: str, settings: object, path: str, known: _Known) -> ItemLine:
    if name not in known.capabilities:
        reader.error(path, f"there is no capability {name}")
    if not isinstance(settings, Mapping):
        reader.error(path, "must be a mapping with enabled and audience")
        return ItemLine(name, False, None)
    audience = settings.get("audience")
    if audience is not None and audience not in known.audiences:
        reader.error(f"{path}.audience", f"there is no audience {audience}")
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
