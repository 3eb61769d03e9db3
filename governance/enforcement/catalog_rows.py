"""The catalog's rows as the policy reads them, with the changes that are held: the stricter of both, or as if one were decided.

An audience is the Kleene AND of its rule and the proposed one, a model capability is as it is on record with both audiences, and a
model derives from its parent and from the proposed one, so that the scope of a directive has it either way. Tiers and providers
stay as they are on record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from governance.catalog.changes import What


@dataclass
class CatalogRows:
    """Lists of JSON rows, as the one statement of ``policy`` reads them. ``held``: *what*, *key* and *proposed* of each change."""

    models: list[dict[str, Any]]
    capabilities: list[dict[str, Any]]
    items: list[dict[str, Any]]
    audiences: list[dict[str, Any]]
    providers: Mapping[str, bool]
    held: list[dict[str, Any]] = field(default_factory=list)

    # -- what counts while changes are held ------------------------------------------------------------------------

    def rules(self) -> dict[int, list[Any]]:
        """The rules of each audience, by its id: its own, and one that is proposed. All have to admit."""
        held = self._held(What.AUDIENCE)
        return {
            row["id"]: [row["rule"], held[row["slug"]]["rule"]] if row["slug"] in held else [row["rule"]]
            for row in self.audiences
        }

    def second_audiences(self) -> dict[int, int | None]:
        """The audience that is proposed for a model capability in the place of its own; both have to admit."""
        held, ids = self._held(What.ITEM), self._ids(self.audiences)
        names = self._item_names()
        return {
            row["id"]: ids.get(held[names[row["id"]]]["audience"]) for row in self.items if names[row["id"]] in held
        }

    def parents(self) -> dict[int, tuple[int, ...]]:
        """What each model derives from, by ids: its parent, and one that is proposed."""
        held, ids = self._held(What.LINEAGE), self._ids(self.models)
        found = {}
        for row in self.models:
            proposed = ids.get(held[row["slug"]]["derived_from"]) if row["slug"] in held else None
            found[row["id"]] = tuple({parent for parent in (row["from"], proposed) if parent is not None})
        return found

    def _held(self, what: str) -> dict[str, Any]:
        return {row["key"]: row["proposed"] for row in self.held if row["what"] == what}

    @staticmethod
    def _ids(rows: list[dict[str, Any]]) -> dict[str | None, int]:
        return {row["slug"]: row["id"] for row in rows}

    def _item_names(self) -> dict[int, str]:
        models = {row["id"]: row["slug"] for row in self.models}
        capabilities = {row["id"]: row["slug"] for row in self.capabilities}
        return {row["id"]: f"{models[row['model']]}/{capabilities[row['capability']]}" for row in self.items}

    # -- as if -----------------------------------------------------------------------------------------------------

    def without_held(self, what: str, key: str) -> CatalogRows:
        """As if what is held about this were dropped."""
        held = [row for row in self.held if (row["what"], row["key"]) != (what, key)]
        return CatalogRows(self.models, self.capabilities, self.items, self.audiences, self.providers, held)

    def with_held(self, what: str, key: str, proposed: Any) -> CatalogRows:
        """As if this were held now."""
        found = self.without_held(what, key)
        found.held.append({"what": what, "key": key, "proposed": proposed})
        return found

    def with_change(self, what: str, key: str, proposed: Any) -> CatalogRows:
        """As if this were in force."""
        found = self.without_held(what, key)
        match what:
            case What.AUDIENCE:
                found.audiences = [row | proposed if row["slug"] == key else row for row in self.audiences]
            case What.ITEM:
                names, ids = self._item_names(), self._ids(self.audiences)
                new = {"enabled": proposed["enabled"], "audience": ids.get(proposed["audience"])}
                found.items = [row | new if names[row["id"]] == key else row for row in self.items]
            case What.LINEAGE:
                parent = self._ids(self.models).get(proposed["derived_from"])
                found.models = [row | {"from": parent} if row["slug"] == key else row for row in self.models]
            case What.PROVIDER:
                found.providers = {**self.providers, key: proposed["own"]}
            case What.MODEL_PROVIDER:
                new = {"provider": proposed["provider"]}
                found.models = [row | new if row["slug"] == key else row for row in self.models]
        return found
