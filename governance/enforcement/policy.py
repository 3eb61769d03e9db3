"""The compiled policy: audiences and directives in force as functions, indexed by model capability, for one policy epoch.

One SQL statement reads everything, so a policy is always of one moment. The result is immutable and shared by all
threads of a process; it is kept until a reader meets another epoch (DESIGN.md, *Decision*).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from governance.enforcement.catalog_rows import CatalogRows
from governance.enforcement.sources import DJANGO, CannotDecide, Source
from governance.rules import generated, language

__all__ = ["CannotDecide", "Policy", "Raw", "current", "forget", "load", "read", "refreshed", "with_directive"]


@dataclass(frozen=True)
class CompiledRule:
    """A rule, parsed once, with its function compiled on first use."""

    tree: Any

    @cached_property
    def truth(self) -> Callable[[Any], bool | None]:
        return generated.compile_function(self.tree)

    @classmethod
    def of(cls, *documents: object) -> CompiledRule:
        """The rule of a document; of several, that all of them are true."""
        return cls.both(*(cls(language.parse(document)) for document in documents))

    @classmethod
    def both(cls, *rules: CompiledRule) -> CompiledRule:
        return rules[0] if len(rules) == 1 else cls(language.All(tuple(rule.tree for rule in rules)))


@dataclass(frozen=True)
class Audience:
    """``id`` tells it from the others of its policy; it may stand for two of which both have to admit."""

    id: int | str
    slug: str
    rule: CompiledRule


@dataclass(frozen=True)
class ModelCapability:
    id: int
    model: str
    capability: str
    enabled: bool
    audience: Audience | None
    model_name: str = ""
    capability_name: str = ""

    @property
    def name(self) -> str:
        return f"{self.model}/{self.capability}"


@dataclass(frozen=True)
class ScopeEntry:
    """One line of a scope: a model, and one capability or (``None``) every one it has."""

    model_id: int
    capability_id: int | None


@dataclass(frozen=True)
class DirectiveRule:
    """What decisions need of one directive version: its rule, effect, policy for unknowns, dates and scope."""

    directive_id: int
    reference: str
    title: str
    kind: str
    effect: str
    rule: CompiledRule
    on_unknown: str
    verify_deadline: datetime | None
    effective_at: datetime | None
    expires_at: datetime | None
    waivable: str
    scope: frozenset[int] = field(repr=False)  # ids of model capabilities
    version_id: int = 0  # of the version in force; a candidate has none yet

    def counts_at(self, now: datetime) -> bool:
        """Whether the clock has it in force: from its effective time until it expires."""
        return (self.effective_at is None or self.effective_at <= now) and (
            self.expires_at is None or now < self.expires_at
        )

    def unknown_denies_at(self, now: datetime) -> bool:
        if self.on_unknown == "verify":
            return self.verify_deadline is not None and self.verify_deadline <= now
        return self.on_unknown == "deny"


@dataclass(frozen=True)
class Client:
    """A machine client: whoever holds a token that was not revoked."""

    id: int
    name: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class Policy:
    """Everything decisions need but the person, as of ``epoch``: immutable, shared by the threads of a process."""

    epoch: int
    model_capabilities: Mapping[tuple[str, str], ModelCapability]
    models: frozenset[str]
    capabilities: frozenset[str]
    directives: tuple[DirectiveRule, ...]
    catalog: CatalogShape = field(repr=False)
    clients: Mapping[str, Client] = field(default_factory=dict, repr=False)  # by the digest of the token

    @cached_property
    def directives_on(self) -> Mapping[int, tuple[DirectiveRule, ...]]:
        """The directives in force for each model capability, by its id."""
        return {
            item.id: tuple(rule for rule in self.directives if item.id in rule.scope)
            for item in self.model_capabilities.values()
        }

    @cached_property
    def by_id(self) -> Mapping[int, ModelCapability]:
        return {item.id: item for item in self.model_capabilities.values()}

    @cached_property
    def searches(self) -> dict[int, Any]:
        """Where searches keep their compiled statements, by model capability; they last as long as the policy."""
        return {}

    def directive(self, directive_id: int) -> DirectiveRule | None:
        return next((rule for rule in self.directives if rule.directive_id == directive_id), None)


@dataclass(frozen=True)
class CatalogShape:
    """Which model capabilities exist and how models derive from one another: enough to resolve a scope."""

    capabilities_of: Mapping[int, tuple[tuple[int, int], ...]]  # model id → (capability id, model capability id)
    derived_from: Mapping[int, tuple[int, ...]]  # model id → its parent, and one that is proposed while that is held

    def resolve(self, scope: Iterable[ScopeEntry], *, include_derived: bool) -> frozenset[int]:
        """The ids of the model capabilities in a scope, through lineage when it includes derived models."""
        found: set[int] = set()
        for entry in scope:
            models = self._with_derived(entry.model_id) if include_derived else {entry.model_id}
            for model_id in models:
                for capability_id, model_capability_id in self.capabilities_of.get(model_id, ()):
                    if entry.capability_id in (None, capability_id):
                        found.add(model_capability_id)
        return frozenset(found)

    def _with_derived(self, model_id: int) -> set[int]:
        found, frontier = {model_id}, {model_id}
        while frontier:
            frontier = {
                child
                for child, parents in self.derived_from.items()
                if child not in found and not frontier.isdisjoint(parents)
            }
            found |= frontier
        return found


# One statement, so one snapshot: the policy can never mix two moments.
_LOAD = """
SELECT
  (SELECT value FROM enforcement_policyepoch),
  (SELECT coalesce(jsonb_agg(jsonb_build_object('id', m.id, 'slug', m.slug, 'name', m.name, 'from', m.derived_from_id,
                                                'provider', p.slug)), '[]')
     FROM catalog_aimodel m JOIN catalog_provider p ON p.id = m.provider_id),
  (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'slug', slug, 'name', name)), '[]')
     FROM catalog_capability),
  (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'model', model_id, 'capability', capability_id,
                                                'enabled', enabled, 'audience', audience_id)), '[]')
     FROM catalog_modelcapability),
  (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'slug', slug, 'rule', rule)), '[]') FROM catalog_audience),
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'id', d.id, 'version', v.id, 'reference', d.reference, 'title', d.title, 'kind', d.kind, 'effect', v.effect,
            'rule', coalesce(v.expanded_rule, v.rule), 'on_unknown', v.on_unknown_then,
            'deadline', d.verify_deadline, 'effective_at', v.effective_at, 'expires_at', v.expires_at,
            'waivable', v.waivable, 'include_derived', v.include_derived,
            'scope', (SELECT coalesce(jsonb_agg(jsonb_build_array(s.model_id, s.capability_id)), '[]')
                        FROM directives_scopeitem s WHERE s.version_id = v.id)) ORDER BY d.reference), '[]')
     FROM directives_directive d JOIN directives_directiveversion v ON v.id = d.version_in_force_id
    WHERE d.state = 'active'),
  (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'name', name, 'digest', digest, 'scopes', to_jsonb(scopes))), '[]')
     FROM accounts_apitoken WHERE revoked_at IS NULL),
  (SELECT coalesce(jsonb_object_agg(slug, own), '{}') FROM catalog_provider),
  (SELECT coalesce(jsonb_agg(jsonb_build_object('what', what, 'key', key, 'proposed', proposed)), '[]')
     FROM enforcement_heldchange WHERE what <> 'roles')
"""


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


@dataclass(frozen=True)
class Raw:
    """The rows of one moment that a policy is compiled from."""

    epoch: int
    catalog: CatalogRows
    directives: list[dict[str, Any]]
    tokens: list[dict[str, Any]]

    def policy(self, catalog: CatalogRows | None = None) -> Policy:
        """The policy of these rows; of another ``catalog``, as if that were the one on record."""
        try:
            return _compile(self.epoch, catalog or self.catalog, self.directives, self.tokens)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise CannotDecide("the policy cannot be compiled") from error


def read(source: Source = DJANGO) -> Raw:
    """What the policy is compiled from, as it is now. Raises ``CannotDecide`` when it cannot be read."""
    try:
        row = source.rows(_LOAD)[0]
        if row[0] is None:
            raise CannotDecide("no policy epoch")
        # Django hands jsonb over as text, psycopg by itself as values.
        epoch, *parts = (json.loads(value) if isinstance(value, str) else value for value in row)
        models, capabilities, items, audiences, directives, tokens, providers, held = parts
    except (TypeError, ValueError, RecursionError) as error:
        raise CannotDecide("the policy cannot be compiled") from error
    return Raw(epoch, CatalogRows(models, capabilities, items, audiences, providers, held), directives, tokens)


def load(source: Source = DJANGO) -> Policy:
    """Read and compile the policy as it is now. Raises ``CannotDecide`` when it cannot be read or makes no sense."""
    return read(source).policy()


def _compile(epoch: int, rows: CatalogRows, directives: list, tokens: list) -> Policy:
    own = {model["id"]: model["slug"] for model in rows.models if rows.providers[model["provider"]]}
    names = {model["id"]: model["name"] for model in rows.models}
    slugs = {capability["id"]: capability["slug"] for capability in rows.capabilities}
    capability_names = {capability["id"]: capability["name"] for capability in rows.capabilities}
    rules = rows.rules()
    known = {a["id"]: Audience(a["id"], a["slug"], CompiledRule.of(*rules[a["id"]])) for a in rows.audiences}
    second = rows.second_audiences()
    items: dict[tuple[str, str], ModelCapability] = {}
    by_model: dict[int, list[tuple[int, int]]] = {}
    for row in rows.items:
        if row["model"] not in own:
            continue  # a model of another provider is evidence only, never decided on
        by_model.setdefault(row["model"], []).append((row["capability"], row["id"]))
        item = ModelCapability(
            row["id"],
            own[row["model"]],
            slugs[row["capability"]],
            row["enabled"],
            _both(known.get(row["audience"]), known.get(second[row["id"]]))
            if row["id"] in second
            else known.get(row["audience"]),
            names[row["model"]],
            capability_names[row["capability"]],
        )
        items[item.model, item.capability] = item
    shape = CatalogShape(
        {model: tuple(pairs) for model, pairs in by_model.items()},
        rows.parents(),
    )
    return Policy(
        epoch=epoch,
        model_capabilities=items,
        models=frozenset(own.values()),
        capabilities=frozenset(slugs.values()),
        directives=tuple(_directive_rule(row, shape) for row in directives),
        catalog=shape,
        clients={row["digest"]: Client(row["id"], row["name"], frozenset(row["scopes"])) for row in tokens},
    )


def _both(one: Audience | None, other: Audience | None) -> Audience | None:
    """The audience that admits whom both admit; nobody, where one of them is missing."""
    if one is None or other is None:
        return None
    return one if one is other else Audience(f"{one.id}_{other.id}", one.slug, CompiledRule.both(one.rule, other.rule))


def _directive_rule(row: dict[str, Any], shape: CatalogShape) -> DirectiveRule:
    scope = (ScopeEntry(model, capability) for model, capability in row["scope"])
    return DirectiveRule(
        directive_id=row["id"],
        reference=row["reference"],
        title=row["title"],
        kind=row["kind"],
        effect=row["effect"],
        rule=CompiledRule.of(row["rule"]),
        on_unknown=row["on_unknown"],
        verify_deadline=_time(row["deadline"]),
        effective_at=_time(row["effective_at"]),
        expires_at=_time(row["expires_at"]),
        waivable=row["waivable"],
        scope=shape.resolve(scope, include_derived=row["include_derived"]),
        version_id=row["version"],
    )


_lock = threading.Lock()
_current: dict[str, Policy] = {}  # by database


def current(*, other_than: int | None = None, source: Source = DJANGO) -> Policy:
    """The policy this process holds, loaded anew when there is none or when its epoch is the one named stale.

    ``other_than`` is the epoch of the policy the caller found out of step with the database. Epochs come from a
    sequence, so one number never names two policies, not even after a rolled-back change.
    """
    held = _current.get(source.name)
    if held is not None and held.epoch != other_than:
        return held
    fresh = load(source)
    with _lock:
        _current[source.name] = fresh
    return fresh


def refreshed(source: Source = DJANGO) -> Policy:
    """The policy as of now: one look at the epoch, and a load only if it moved."""
    held = current(source=source)
    epoch = source.rows("SELECT value FROM enforcement_policyepoch")[0][0]
    return held if held.epoch == epoch else current(other_than=held.epoch, source=source)


def forget() -> None:
    """Drop the held policy (after a fork, or when a test changes databases)."""
    with _lock:
        _current.clear()


def with_directive(policy: Policy, rule: DirectiveRule | None, *, without: Iterable[int] = ()) -> Policy:
    """The policy with the directives ``without`` taken out and ``rule`` put in force: what a preview compares with."""
    gone = set(without) | ({rule.directive_id} if rule else set())
    kept = tuple(existing for existing in policy.directives if existing.directive_id not in gone)
    return replace(policy, directives=(*kept, rule) if rule else kept)
