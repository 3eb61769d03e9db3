"""What a directive states: reading it from files and forms, checking it whole, and its digest.

The shapes are those of CONTRACTS.md, *Files*. Reading checks types and references; ``check_complete`` checks what must hold
before a version is fixed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from governance import values
from governance.catalog.models import AIModel, Capability
from governance.directives.models import (
    Alternative,
    CaseItem,
    Comparable,
    CountryGroup,
    Directive,
    DirectiveKind,
    DirectiveVersion,
    Effect,
    OnUnknown,
    Waivable,
    WaiverPolicy,
)
from governance.directives.states import DirectiveState
from governance.errors import Invalid
from governance.rules import language
from governance.rules.language import RuleError
from governance.values import Unfit


@dataclass(frozen=True)
class ScopeLine:
    """One model, and one of its capabilities or (``None``) all."""

    model_id: int
    capability_id: int | None


@dataclass(frozen=True)
class VersionStatement:
    """The content of a version, before it is stored."""

    rule: Any
    scope: tuple[ScopeLine, ...] = ()
    effect: str = Effect.DENY
    on_unknown_then: str = OnUnknown.DENY
    on_unknown_hours: int | None = None
    waivable: str | None = None
    include_derived: bool = False
    legal_basis: str = ""
    effective_at: datetime | None = None
    expires_at: datetime | None = None
    replaces_id: int | None = None
    waivers: str = WaiverPolicy.KEEP
    waivers_days: int | None = None
    waivers_until: datetime | None = None
    restart_verify: bool = False
    definitions: str = ""

    def columns(self, *, outside: bool) -> dict[str, Any]:
        """The columns of ``DirectiveVersion``. Who may make exceptions defaults by who ordered it."""
        names = (
            "rule", "effect", "on_unknown_then", "on_unknown_hours", "include_derived", "legal_basis", "effective_at",
            "expires_at", "replaces_id", "waivers", "waivers_days", "waivers_until", "restart_verify", "definitions",
        )  # fmt: skip
        default = Waivable.AUTHORITY if outside else Waivable.COMPANY
        return {name: getattr(self, name) for name in names} | {"waivable": self.waivable or default}

    @classmethod
    def of(cls, version: DirectiveVersion) -> VersionStatement:
        """The content of a stored version, as written (country groups by name)."""
        return cls(
            rule=version.rule,
            scope=tuple(ScopeLine(item.model_id, item.capability_id) for item in version.scope.all()),
            effect=version.effect,
            on_unknown_then=version.on_unknown_then,
            on_unknown_hours=version.on_unknown_hours,
            waivable=version.waivable,
            include_derived=version.include_derived,
            legal_basis=version.legal_basis,
            effective_at=version.effective_at,
            expires_at=version.expires_at,
            replaces_id=version.replaces_id,
            waivers=version.waivers,
            waivers_days=version.waivers_days,
            waivers_until=version.waivers_until,
            restart_verify=version.restart_verify,
            definitions=version.definitions,
        )


@dataclass(frozen=True)
class CaseLine:
    at: datetime
    kind: str
    title: str
    model_id: int | None = None
    state: str = ""
    file_name: str = ""
    content: bytes | None = None


@dataclass(frozen=True)
class DirectiveStatement:
    """A directive as a file or a form states it."""

    reference: str
    title: str
    version: VersionStatement
    kind: str = DirectiveKind.ORDER
    authority: str = ""
    received_at: datetime | None = None
    comply_by: datetime | None = None
    comply_immediately: bool = False
    position: str = ""
    case_file: tuple[CaseLine, ...] = ()
    comparables: tuple[tuple[int, int, str], ...] = ()
    alternatives: tuple[tuple[str, str, dict[str, Any]], ...] = ()


@dataclass
class Reader:
    """Reads mappings with paths; collects every error instead of stopping at the first."""

    models: Mapping[str, int]
    capabilities: Mapping[str, int]
    errors: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of_catalog(cls) -> Reader:
        return cls(dict(AIModel.objects.values_list("slug", "id")), dict(Capability.objects.values_list("slug", "id")))

    def error(self, path: str, message: str) -> None:
        self.errors.append((path, message))

    def unfit(self, path: str, unfit: Unfit) -> None:
        self.error(f"{path}{unfit.path}", unfit.reason)

    def rows(self, value: Any, path: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """The mappings of a list, each with its path; an absent list is an empty one."""
        if value and not isinstance(value, list | tuple):
            self.error(path, "must be a list")
            return
        for index, row in enumerate(value or ()):
            here = f"{path}[{index}]"
            if isinstance(row, Mapping):
                yield here, row
            else:
                self.error(here, "must be a mapping")

    def text(
        self, source: Mapping[str, Any], name: str, path: str, *, required: bool = False, limit: int | None = None
    ) -> str:
        value = source.get(name)
        if value is None or value == "":
            if required:
                self.error(f"{path}.{name}", "is required")
            return ""
        try:
            found = values.text(value).strip()
            if required and not found:
                raise Unfit("is required")
            return values.text(found, limit)
        except Unfit as unfit:
            self.unfit(f"{path}.{name}", unfit)
            return ""

    def choice(self, source: Mapping[str, Any], name: str, path: str, choices: Any, default: Any) -> Any:
        value = source.get(name)
        if value is None:
            return default
        if value not in choices.values:
            self.error(f"{path}.{name}", f"must be one of {', '.join(choices.values)}")
            return default
        return value

    def time(self, source: Mapping[str, Any], name: str, path: str) -> datetime | None:
        value = source.get(name)
        if value is None or value == "":
            return None
        try:
            return values.moment(value)
        except Unfit as unfit:
            self.unfit(f"{path}.{name}", unfit)
            return None

    def flag(self, source: Mapping[str, Any], name: str, path: str) -> bool:
        value = source.get(name, False)
        if not isinstance(value, bool):
            self.error(f"{path}.{name}", "must be true or false")
            return False
        return value

    def rule(self, value: object, path: str) -> object:
        """The rule as JSON values, whatever wrote it: YAML reads an unquoted date as one."""
        try:
            rule = values.plain(value)
            language.parse(expand(rule))
            return rule
        except Unfit as unfit:
            self.unfit(path, unfit)
        except RuleError as error:
            for where, message in error.errors:
                self.error(f"{path}{where.removeprefix('$')}", message)
        return False

    def scope(self, value: object, path: str) -> tuple[ScopeLine, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            self.error(path, "must be a list of models with their capabilities")
            return ()
        lines: list[ScopeLine] = []
        for index, entry in enumerate(value):
            here = f"{path}[{index}]"
            if not isinstance(entry, Mapping) or not isinstance(entry.get("model"), str):
                self.error(here, "must name a model")
                continue
            lines.extend(self._scope_lines(entry, here))
        if len(set(lines)) != len(lines):
            self.error(path, "names something twice")
        return tuple(dict.fromkeys(lines))

    def _scope_lines(self, entry: Mapping[str, Any], here: str) -> Iterable[ScopeLine]:
        model_id = self.model(entry["model"], f"{here}.model")
        named = entry.get("capabilities", "all")
        if model_id is None:
            return
        if named == "all":
            yield ScopeLine(model_id, None)
        elif isinstance(named, Sequence) and not isinstance(named, str) and named:
            for slug in named:
                capability_id = self.capability(slug, f"{here}.capabilities")
                if capability_id is not None:
                    yield ScopeLine(model_id, capability_id)
        else:
            self.error(f"{here}.capabilities", "must be all or a list of capabilities")

    def model(self, slug: object, path: str) -> int | None:
        return self._named(slug, self.models, "model", path)

    def capability(self, slug: object, path: str) -> int | None:
        return self._named(slug, self.capabilities, "capability", path)

    def _named(self, slug: object, known: Mapping[str, int], what: str, path: str) -> int | None:
        try:
            return known[values.one_of(slug, known, what)]
        except Unfit as unfit:
            self.unfit(path, unfit)
            return None

    def whole_number(self, value: object, path: str, least: int, most: int = values.LARGEST_INTEGER) -> int:
        try:
            return values.whole_number(value, least, most)
        except Unfit as unfit:
            self.unfit(path, unfit)
            return least

    def unknown_policy(self, value: object, path: str) -> tuple[str, int | None]:
        value = {"then": "deny"} if value is None else value
        if not isinstance(value, Mapping) or value.get("then") not in OnUnknown.values:
            self.error(path, "must be {then: deny}, {then: allow} or {then: verify, hours: …}")
            return OnUnknown.DENY, None
        hours = value.get("hours")
        if value["then"] != OnUnknown.VERIFY:
            if hours is not None:
                self.error(f"{path}.hours", "goes with verify only")
            return value["then"], None
        if not isinstance(hours, int) or isinstance(hours, bool) or not 0 < hours <= 8760:
            self.error(f"{path}.hours", "must be a whole number of hours from 1 to 8760")
            return OnUnknown.DENY, None
        return OnUnknown.VERIFY, hours

    def waiver_policy(self, source: Mapping[str, Any], path: str) -> tuple[str, int | None, datetime | None]:
        """``keep``, ``end``, or ``{then: shorten}`` with the days that are left from the activation, or with a time."""
        stated = source.get("waivers")
        if not isinstance(stated, Mapping):
            if stated == WaiverPolicy.SHORTEN:
                self.error(f"{path}.waivers", "must be {then: shorten, days: …} or {then: shorten, until: …}")
                return WaiverPolicy.KEEP, None, None
            return self.choice(source, "waivers", path, WaiverPolicy, WaiverPolicy.KEEP), None, None
        here = f"{path}.waivers"
        then = self.choice(stated, "then", here, WaiverPolicy, WaiverPolicy.KEEP)
        days, until = stated.get("days"), self.time(stated, "until", here)
        if then != WaiverPolicy.SHORTEN:
            if days is not None or until is not None:
                self.error(here, "days and until go with shorten only")
            return then, None, None
        if (days is None) == (until is None):
            self.error(here, "needs days or until, one of the two")
            return WaiverPolicy.KEEP, None, None
        return then, None if days is None else self.whole_number(days, f"{here}.days", 1, 90), until

    def version(self, source: Mapping[str, Any], path: str) -> VersionStatement:
        then, hours = self.unknown_policy(source.get("on_unknown"), f"{path}.on_unknown")
        replaces_id, replaces = None, self.text(source, "replaces", path)
        if replaces:
            replaces_id = Directive.objects.filter(reference=replaces).values_list("id", flat=True).first()
            if replaces_id is None:
                self.error(f"{path}.replaces", f"there is no directive {replaces}")
        waivers, waivers_days, waivers_until = self.waiver_policy(source, path)
        if "rule" not in source:
            self.error(f"{path}.rule", "is required")
        return VersionStatement(
            rule=self.rule(source.get("rule", True), f"{path}.rule"),
            scope=self.scope(source.get("scope", []), f"{path}.scope"),
            effect=self.choice(source, "effect", path, Effect, Effect.DENY),
            on_unknown_then=then,
            on_unknown_hours=hours,
            waivable=self.choice(source, "waivable", path, Waivable, None),
            include_derived=self.flag(source, "include_derived", path),
            legal_basis=self.text(source, "legal_basis", path),
            effective_at=self.time(source, "effective_at", path),
            expires_at=self.time(source, "expires_at", path),
            replaces_id=replaces_id,
            waivers=waivers,
            waivers_days=waivers_days,
            waivers_until=waivers_until,
            restart_verify=self.flag(source, "restart_verify", path),
            definitions=self._definitions(source, path),
        )

    def _definitions(self, source: Mapping[str, Any], path: str) -> str:
        """Text, or anything else that JSON can hold, in its canonical form."""
        try:
            definitions = values.plain(source.get("definitions") or "")
        except Unfit as unfit:
            self.unfit(f"{path}.definitions", unfit)
            return ""
        return definitions if isinstance(definitions, str) else language.canonical(definitions).decode()

    def finish(self, what: str) -> None:
        """Raise ``Invalid`` with everything that was found wrong."""
        if self.errors:
            raise Invalid(f"{what} is not acceptable.", self.errors)


def country_groups() -> dict[str, list[str]]:
    return {group.name: list(group.countries) for group in CountryGroup.objects.all()}


def expand(rule: object) -> object:
    """The rule with each ``group:NAME`` in a list of countries replaced by the group's countries."""
    return language.expand_groups(rule, country_groups())


def check_complete(directive: Directive, version: DirectiveVersion, moment: datetime) -> None:
    """What must hold before a version is fixed; raises ``Invalid`` with every place that does not."""
    errors: list[tuple[str, str]] = []
    tree = None
    try:
        tree = language.parse(expand(version.rule))
    except RuleError as error:
        errors += [(f"rule{where.removeprefix('$')}", message) for where, message in error.errors]
    if not version.scope.exists():
        errors.append(("scope", "names no model"))
    if tree is not None and language.uses_sensitive(tree) and not version.legal_basis.strip():
        errors.append(
            (
                "legal_basis",
                "a rule that uses citizenship or residency must name the law, regulation, order or contract that "
                "requires it (8 USC 1324b(a)(2)(C))",
            )
        )
    if directive.from_outside and version.effect == Effect.MONITOR:
        errors.append(("effect", "an outside authority's order cannot be put in force as monitor"))
    errors += wrong_dates(directive, version, moment)
    if version.replaces_id is not None:
        replaced = version.replaces
        if version.replaces_id == directive.pk:
            errors.append(("replaces", "a directive cannot replace itself"))
        elif replaced is not None and (replaced.state not in _ALIVE or replaced.term_ended(moment)):
            errors.append(("replaces", f"{replaced.reference} is not in force"))
    if errors:
        raise Invalid(f"Version {version.number} of {directive.reference} cannot be submitted.", errors)


def wrong_dates(directive: Directive, version: DirectiveVersion, moment: datetime) -> list[tuple[str, str]]:
    """What keeps the version's dates from taking force at ``moment``: a term that is over, or a gap they would open."""
    errors = []
    if version.expires_at and version.expires_at <= moment:
        errors.append(("expires_at", "lies in the past: the version would deny nobody"))
    if version.waivers_until and version.waivers_until <= moment:
        errors.append(("waivers_until", "lies in the past: say that existing waivers end"))
    if version.effective_at and version.expires_at and version.effective_at >= version.expires_at:
        errors.append(("expires_at", "must lie after effective_at"))
    if version.effective_at and version.effective_at > moment:
        for former in gives_way(directive, version):
            if former.effective_at is None or former.effective_at < version.effective_at:
                errors.append(
                    (
                        "effective_at",
                        f"lies ahead, and {former.directive.reference} would end at the activation: nothing would "
                        "hold in between. Leave it empty and activate at that time",
                    )
                )
    return errors


def gives_way(directive: Directive, version: DirectiveVersion) -> list[DirectiveVersion]:
    """The versions in force that end when this one takes force: the one it supersedes, and that of what it replaces."""
    found = [d.version_in_force for d in (directive, version.replaces) if d is not None and d.state in _ALIVE]
    return [former for former in found if former is not None and former.pk != version.pk]


_ALIVE = (DirectiveState.ACTIVE, DirectiveState.SUSPENDED)
_LENIENCE = (OnUnknown.DENY, OnUnknown.VERIFY, OnUnknown.ALLOW)


def more_lenient(version: DirectiveVersion, former: DirectiveVersion) -> bool:
    """Whether unknown people pass under a version who would not, or not for so long, under the one it takes the place of."""
    now, before = (_LENIENCE.index(OnUnknown(each.on_unknown_then)) for each in (version, former))
    return now > before or (now == before and version.on_unknown_then == OnUnknown.VERIFY and version.restart_verify)


def ends_sooner(version: DirectiveVersion, former: DirectiveVersion) -> bool:
    """Whether the term of a version ends before that of the one it takes the place of."""
    return version.expires_at is not None and (former.expires_at is None or version.expires_at < former.expires_at)


def digest(version: DirectiveVersion) -> str:
    """SHA-256 (hex) of the version's canonical JSON (RFC 8785)."""
    return hashlib.sha256(language.canonical(canonical_content(version))).hexdigest()


def canonical_content(version: DirectiveVersion) -> dict[str, Any]:
    """Everything a version states, with slugs and references instead of row numbers and times in UTC."""
    scope = version.scope.select_related("model", "capability")
    return {
        "reference": version.directive.reference,
        "number": version.number,
        "effect": str(version.effect),
        "on_unknown": {"then": str(version.on_unknown_then)}
        | ({"hours": version.on_unknown_hours} if version.on_unknown_hours else {}),
        "waivable": str(version.waivable),
        "include_derived": version.include_derived,
        "rule": expand(version.rule) if version.expanded_rule is None else version.expanded_rule,
        "legal_basis": version.legal_basis,
        "effective_at": _utc(version.effective_at),
        "expires_at": _utc(version.expires_at),
        "replaces": version.replaces.reference if version.replaces else None,
        "waivers": _waivers(version),
        "restart_verify": version.restart_verify,
        "definitions": version.definitions,
        "scope": sorted(f"{item.model.slug}/{item.capability.slug if item.capability else '*'}" for item in scope),
    }


def _waivers(version: DirectiveVersion) -> str | dict[str, Any]:
    if version.waivers != WaiverPolicy.SHORTEN:
        return str(version.waivers)
    term = {"days": version.waivers_days} if version.waivers_days else {"until": _utc(version.waivers_until)}
    return {"then": str(version.waivers)} | term


def waivers_end_by(stated: DirectiveVersion | VersionStatement, activated_at: datetime) -> datetime | None:
    """Until when a version that shortens waivers lets those that ran before it go on; None if it shortens none."""
    if stated.waivers != WaiverPolicy.SHORTEN:
        return None
    return stated.waivers_until or activated_at + timedelta(days=stated.waivers_days or 0)


def _utc(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None


def store_case(directive: Directive, statement: DirectiveStatement, added_by: str) -> None:
    """Store the case file, comparables and alternatives that came with a directive."""
    CaseItem.objects.bulk_create(
        CaseItem(
            directive=directive,
            at=line.at,
            kind=line.kind,
            title=line.title,
            model_id=line.model_id,
            state=line.state,
            file_name=line.file_name,
            content=line.content,
            sha256=hashlib.sha256(line.content).hexdigest() if line.content is not None else "",
            added_by=added_by,
        )
        for line in statement.case_file
    )
    Comparable.objects.bulk_create(
        Comparable(directive=directive, model_id=model, capability_id=capability, note=note)
        for model, capability, note in statement.comparables
    )
    Alternative.objects.bulk_create(
        Alternative(directive=directive, slug=slug, title=title, statement=stated)
        for slug, title, stated in statement.alternatives
    )
