"""Single changes of the catalog that may loosen: how each is named, what is on record, and how it is put in force.

A change says what it is of (``what`` and ``key``), and two states as JSON: the one it was proposed on, and the proposed one. So
it can wait for a second person, and still be told from what has become of the catalog meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices

from governance.catalog.models import AIModel, Audience, Capability, ModelCapability, Provider


class What(TextChoices):
    AUDIENCE = "audience", "Audience"
    ITEM = "model_capability", "Model capability"
    LINEAGE = "lineage", "Lineage of a model"
    TIER = "tier", "Tier of a capability"
    PROVIDER = "provider", "Provider"
    MODEL_PROVIDER = "model_provider", "Provider of a model"


@dataclass(frozen=True)
class Change:
    what: str
    key: str
    before: Mapping[str, Any]
    proposed: Mapping[str, Any]


def present(what: str, key: str) -> dict[str, Any] | None:
    """The state on record of what a change is of; None where there is no such thing."""
    model: Any = _MODELS[what]
    if what == What.ITEM:
        found = _item(key).values("enabled", "audience__slug").first()
        return found and {"enabled": found["enabled"], "audience": found["audience__slug"]}
    field, column = _COLUMNS[what]
    found = model.objects.filter(slug=key).values_list(column).first()
    return None if found is None else {field: found[0]}


def put(what: str, key: str, proposed: Mapping[str, Any]) -> None:
    """Put a proposed state in force. Raises ``KeyError`` where something that it names does not exist (any more)."""
    if what == What.ITEM:
        audience = proposed["audience"]
        changed = _item(key).update(enabled=proposed["enabled"], audience=audience and _named(Audience, audience))
    elif what == What.LINEAGE:
        parent = proposed["derived_from"]
        changed = AIModel.objects.filter(slug=key).update(derived_from=parent and _named(AIModel, parent))
    elif what == What.MODEL_PROVIDER:
        changed = AIModel.objects.filter(slug=key).update(provider=_named(Provider, proposed["provider"]))
    else:
        model: Any = _MODELS[what]
        changed = model.objects.filter(slug=key).update(**proposed)
    if not changed:
        raise KeyError(key)


def _item(key: str) -> Any:
    model, _, capability = key.partition("/")
    return ModelCapability.objects.filter(model__slug=model, capability__slug=capability)


def _named(model: Any, slug: str) -> Any:
    found = model.objects.filter(slug=slug).first()
    if found is None:
        raise KeyError(slug)
    return found


_MODELS: dict[str, Any] = {
    What.AUDIENCE: Audience, What.ITEM: ModelCapability, What.LINEAGE: AIModel, What.TIER: Capability,
    What.PROVIDER: Provider, What.MODEL_PROVIDER: AIModel,
}  # fmt: skip
_COLUMNS: dict[str, tuple[str, str]] = {
    What.AUDIENCE: ("rule", "rule"), What.LINEAGE: ("derived_from", "derived_from__slug"), What.TIER: ("tier", "tier"),
    What.PROVIDER: ("own", "own"), What.MODEL_PROVIDER: ("provider", "provider__slug"),
}  # fmt: skip
