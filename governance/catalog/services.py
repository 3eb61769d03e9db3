"""Loading the catalog: read a document whole, plan what it changes, apply the plan.

Whether a change may loosen while a directive is in force is for ``enforcement.services.catalog`` to judge; the plan tells it
everything such a judgement needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import transaction

from governance.accounts.actor import Actor
from governance.catalog.changes import Change, What
from governance.catalog.models import AIModel, Audience, Capability, ModelCapability, Provider
from governance.catalog.reading import CatalogDocument, ModelLine, read
from governance.ledger import services as ledger


@dataclass
class CatalogPlan:
    """What a document would change, judged against the catalog as it is. ``changes`` are those that may loosen."""

    document: CatalogDocument
    changes: list[Change] = field(default_factory=list)

    def without(self, changes: Sequence[Change]) -> CatalogPlan:
        """The plan with these left as they are on record."""
        left = {(change.what, change.key): change.before for change in changes}
        found = self.document

        def before(what: str, key: str) -> dict[str, Any]:
            return dict(left.get((what, key), {}))

        return CatalogPlan(
            CatalogDocument(
                providers=[replace(line, **before(What.PROVIDER, line.slug)) for line in found.providers],
                capabilities=[replace(line, **before(What.TIER, line.slug)) for line in found.capabilities],
                audiences={
                    slug: before(What.AUDIENCE, slug).get("rule", rule) for slug, rule in found.audiences.items()
                },
                models=[
                    replace(
                        line,
                        **before(What.LINEAGE, line.slug),
                        **before(What.MODEL_PROVIDER, line.slug),
                        capabilities=tuple(
                            replace(item, **before(What.ITEM, f"{line.slug}/{item.capability}"))
                            for item in line.capabilities
                        ),
                    )
                    for line in found.models
                ],
            )
        )


@dataclass(frozen=True)
class LoadReport:
    created: int
    updated: int
    unchanged: int
    held: int = 0

    def __add__(self, other: LoadReport) -> LoadReport:
        return LoadReport(
            self.created + other.created,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.held + other.held,
        )

    def as_json(self) -> dict[str, int]:
        return {
            "created": self.created, "updated": self.updated, "unchanged": self.unchanged, "held": self.held,
        }  # fmt: skip


def plan_catalog(document: object) -> CatalogPlan:
    """Read the document and compare it with the catalog. Raises ``Invalid`` with every error's path."""
    plan = CatalogPlan(read(document))
    audiences = dict(Audience.objects.values_list("slug", "rule"))
    for slug, rule in plan.document.audiences.items():
        if slug in audiences and audiences[slug] != rule:
            plan.changes.append(Change(What.AUDIENCE, slug, {"rule": audiences[slug]}, {"rule": rule}))
    tiers = dict(Capability.objects.values_list("slug", "tier"))
    plan.changes += [
        Change(What.TIER, line.slug, {"tier": tiers[line.slug]}, {"tier": line.tier})
        for line in plan.document.capabilities
        if line.tier < tiers.get(line.slug, line.tier)
    ]
    own = dict(Provider.objects.values_list("slug", "own"))
    plan.changes += [
        Change(What.PROVIDER, line.slug, {"own": False}, {"own": True})
        for line in plan.document.providers
        if line.own and own.get(line.slug) is False
    ]
    existing = {m.slug: m for m in AIModel.objects.select_related("derived_from", "provider")}
    items = {
        (i.model.slug, i.capability.slug): i
        for i in ModelCapability.objects.select_related("model", "capability", "audience")
    }
    for line in plan.document.models:
        _plan_model(plan, line, existing.get(line.slug), items)
    return plan


def _plan_model(
    plan: CatalogPlan, line: ModelLine, model: AIModel | None, items: Mapping[tuple[str, str], ModelCapability]
) -> None:
    if model is None:
        return
    parent = model.derived_from.slug if model.derived_from else None
    if parent is not None and line.derived_from != parent:
        plan.changes.append(
            Change(What.LINEAGE, line.slug, {"derived_from": parent}, {"derived_from": line.derived_from})
        )
    if model.provider.slug != line.provider and not model.provider.own:
        plan.changes.append(
            Change(What.MODEL_PROVIDER, line.slug, {"provider": model.provider.slug}, {"provider": line.provider})
        )
    for capability in line.capabilities:
        item = items.get((line.slug, capability.capability))
        old = item.audience.slug if item and item.audience else None
        if item is not None and capability.enabled and (not item.enabled or old != capability.audience):
            plan.changes.append(
                Change(
                    What.ITEM,
                    f"{line.slug}/{capability.capability}",
                    {"enabled": item.enabled, "audience": old},
                    {"enabled": True, "audience": capability.audience},
                )
            )


@transaction.atomic
def apply_plan(*, actor: Actor, plan: CatalogPlan) -> LoadReport:
    """Write what the plan's document says; rows that are as it says are not touched."""
    actor.require("manage_catalog")
    document = plan.document
    counts = {"created": 0, "updated": 0, "unchanged": 0}
    providers = _upsert(Provider, [{"slug": p.slug, "name": p.name, "own": p.own} for p in document.providers], counts)
    capabilities = _upsert(
        Capability,
        [{"slug": c.slug, "name": c.name, "domain": c.domain, "tier": c.tier} for c in document.capabilities],
        counts,
    )
    audiences = _upsert(Audience, [{"slug": s, "rule": r} for s, r in document.audiences.items()], counts)
    models = _upsert(
        AIModel,
        [
            {"slug": m.slug, "name": m.name, "provider_id": providers[m.provider].pk, "stage": m.stage}
            for m in document.models
        ],
        counts,
    )
    _link(document.models, models)
    for line in document.models:
        for item in line.capabilities:
            _upsert_item(
                models[line.slug],
                capabilities[item.capability],
                item.enabled,
                audiences[item.audience] if item.audience else None,
                counts,
            )
    report = LoadReport(**counts)
    if report.created or report.updated:
        ledger.append(
            action="catalog.loaded", actor=actor.name, via=actor.via, subject="catalog:all", data=report.as_json()
        )
        ledger.publish(topic="catalog.loaded", key="catalog:all", payload=report.as_json())
    return report


def _upsert(model: Any, rows: Sequence[dict[str, Any]], counts: dict[str, int]) -> dict[str, Any]:
    existing = {row.slug: row for row in model.objects.all()}
    for values in rows:
        row = existing.get(values["slug"])
        if row is None:
            existing[values["slug"]] = model.objects.create(**values)
            counts["created"] += 1
        elif any(getattr(row, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(row, name, value)
            row.save()
            counts["updated"] += 1
        else:
            counts["unchanged"] += 1
    return existing


def _link(lines: Sequence[ModelLine], models: dict[str, AIModel]) -> None:
    """Set lineage once all models exist; a file may name a child before its parent.

    Parents that change are cleared first: a lineage turned round would pass through a circle, which the database refuses.
    """
    changed = []
    for line in lines:
        model, parent = models[line.slug], models[line.derived_from] if line.derived_from else None
        if model.derived_from_id != (parent.pk if parent else None):
            changed.append((model, parent))
    AIModel.objects.filter(pk__in=[model.pk for model, _ in changed]).update(derived_from=None)
    for model, parent in changed:
        if parent is not None:
            model.derived_from = parent
            model.save(update_fields=["derived_from"])


def _upsert_item(
    model: AIModel, capability: Capability, enabled: bool, audience: Audience | None, counts: dict[str, int]
) -> None:
    item = ModelCapability.objects.filter(model=model, capability=capability).first()
    if item is None:
        ModelCapability.objects.create(model=model, capability=capability, enabled=enabled, audience=audience)
        counts["created"] += 1
    elif (item.enabled, item.audience_id) != (enabled, audience.pk if audience else None):
        item.enabled, item.audience = enabled, audience
        item.save(update_fields=["enabled", "audience"])
        counts["updated"] += 1
    else:
        counts["unchanged"] += 1
