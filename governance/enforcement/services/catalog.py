"""Loading the catalog while directives may be in force: what would loosen is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from governance.accounts.actor import Actor
from governance.catalog import services as catalog
from governance.catalog.services import CatalogPlan, LoadReport
from governance.directives.models import CountryGroup
from governance.enforcement import locks
from governance.enforcement import policy as policies
from governance.enforcement.policy import Policy
from governance.errors import Invalid, Refused
from governance.ledger import services as ledger
from governance.rules import analysis, language
from governance.rules.analysis import Coverage
from governance.rules.countries import COUNTRIES
from governance.values import longest

_GROUP = re.compile(r"[A-Za-z0-9_-]+")


@transaction.atomic
def import_catalog(*, actor: Actor, document: Any) -> LoadReport:
    """Load providers, capabilities, models and audiences (and country groups) of a scenario file.

    While a directive is in force, a load that would widen an audience in use, enable a capability, lower a capability's
    tier (which sets the stages and the limit of exceptions), cut a lineage that a directive relies on, or make another
    provider's models our own is refused whole: that needs an approval.
    """
    actor.require("manage_catalog")
    locks.change_people()
    plan = catalog.plan_catalog(document)
    policy = policies.load()
    if policy.directives:
        reasons = list(_loosening(plan, policy))
        if reasons:
            raise Refused(
                "The load was refused: while a directive is in force it would " + "; ".join(reasons) + ". "
                "That needs an approval by a second person."
            )
    groups = _load_country_groups(actor, document)
    return groups + catalog.apply_plan(actor=actor, plan=plan)


def _loosening(plan: CatalogPlan, policy: Policy) -> list[str]:
    in_use = {item.audience.slug for item in policy.model_capabilities.values() if item.enabled and item.audience}
    reasons = [
        f"widen the audience {slug}"
        for slug, old, new in plan.audience_changes
        if slug in in_use and not _narrower(new, old)
    ]
    reasons += [f"widen who may use {name}" for name, old, new in plan.swapped if not _narrower(new, old)]
    reasons += [f"enable {name}" for name in plan.enabled]
    reasons += [f"lower the tier of {slug} from {old} to {new}" for slug, old, new in plan.lowered]
    reasons += [f"decide on models of {slug}" for slug in plan.taken_over]
    reasons += [f"cut the lineage of {slug}" for model_id, slug in plan.cut if _relied_on(model_id, policy)]
    return reasons


def _narrower(new: Any, old: Any) -> bool:
    """Whether it is proved that the new audience admits nobody whom the old one did not; what is not known is not admitted."""
    admitted, before = (Coverage(language.parse(rule), unknown=False) for rule in (new, old))
    return bool(analysis.implies(admitted, before, budget=analysis.Budget()))


def _relied_on(model_id: int, policy: Policy) -> bool:
    """Whether a directive in force reaches the model, or one derived from it: cutting might take it out of scope."""
    items = policy.catalog.resolve([_entry(model_id)], include_derived=True)
    return any(rule.scope & items for rule in policy.directives)


def _entry(model_id: int) -> policies.ScopeEntry:
    return policies.ScopeEntry(model_id, None)


def _load_country_groups(actor: Actor, document: Mapping[str, Any]) -> LoadReport:
    """Groups are names for lists; a version that used one keeps the list it was expanded to."""
    groups = _read_country_groups(document.get("country_groups"))
    known = dict(CountryGroup.objects.values_list("name", "countries"))
    changed = {name: codes for name, codes in groups.items() if known.get(name) != codes}
    for name, codes in changed.items():
        CountryGroup.objects.update_or_create(name=name, defaults={"countries": codes})
    if changed:
        ledger.append(
            action="country_groups.loaded",
            actor=actor.name,
            via=actor.via,
            subject="catalog:all",
            data={"groups": changed},
        )
    created = len(changed.keys() - known.keys())
    return LoadReport(created=created, updated=len(changed) - created, unchanged=len(groups) - len(changed))


def _read_country_groups(section: object) -> dict[str, list[str]]:
    if not section:
        return {}
    if not isinstance(section, Mapping):
        raise Invalid("The file is not acceptable.", [("country_groups", "must be a mapping from names to lists")])
    errors, found, limit = [], {}, longest(CountryGroup, "name")
    for name, codes in section.items():
        if not isinstance(name, str) or not _GROUP.fullmatch(name) or len(name) > limit:
            errors.append(("country_groups", f"a name must be at most {limit} letters, digits, dashes and underscores"))
        elif not isinstance(codes, list) or any(not isinstance(code, str) or code not in COUNTRIES for code in codes):
            errors.append((f"country_groups.{name}", "must be a list of ISO 3166-1 alpha-2 country codes"))
        else:
            found[name] = sorted(set(codes))
    if errors:
        raise Invalid("The file is not acceptable.", errors)
    return found
