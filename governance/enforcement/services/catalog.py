"""Loading the catalog while directives may be in force: what would loosen is refused, or held for a second person."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import InternalError, ProgrammingError, transaction

from governance.accounts.actor import Actor
from governance.catalog import services as catalog
from governance.catalog.changes import Change, What
from governance.catalog.services import LoadReport
from governance.directives.models import CountryGroup
from governance.enforcement import locks
from governance.enforcement import policy as policies
from governance.enforcement.policy import Policy, Raw
from governance.enforcement.services import changes
from governance.errors import Invalid, Refused
from governance.ledger import services as ledger
from governance.rules import analysis, language
from governance.rules.analysis import Coverage
from governance.rules.countries import COUNTRIES
from governance.values import longest

_GROUP = re.compile(r"[A-Za-z0-9_-]+")


@transaction.atomic
def import_catalog(*, actor: Actor, document: Any, hold: bool = False) -> LoadReport:
    """Load providers, capabilities, models and audiences (and country groups) of a scenario file.

    While a directive is in force, a load that would widen an audience in use, enable a capability, lower a capability's
    tier (which sets the stages and the limit of exceptions), cut a lineage that a directive relies on, or make another
    provider's models our own is refused whole: that needs an approval. With ``hold`` those parts of it wait for a second
    person, and the others are loaded.
    """
    actor.require("manage_catalog")
    locks.change_people()
    plan = catalog.plan_catalog(document)
    raw = policies.read()
    loosening = list(what_loosens(plan.changes, raw, after=plan.document.audiences))
    if loosening and not hold:
        raise Refused(
            "The load was refused: while a directive is in force it would "
            + "; ".join(words for _, words in loosening)
            + ". That needs an approval by a second person: load it with --hold, and it waits for one."
        )
    waits = [change for change, _ in loosening]
    groups = _load_country_groups(actor, document)
    try:
        with transaction.atomic():
            loaded = catalog.apply_plan(actor=actor, plan=plan.without(waits))
    except (
        InternalError,
        ProgrammingError,
    ):  # the trigger that refuses circles: the file has none, but what is loaded of it now would
        raise Refused(
            "The load was refused: with the lineages that have to wait left as they are, the others would close a circle. "
            "Load them apart."
        ) from None
    if waits:
        changes.hold(actor=actor, changes=waits)
    return groups + loaded + LoadReport(0, 0, 0, held=len(waits))


def what_loosens(found: Sequence[Change], raw: Raw, *, after: Mapping[str, Any]) -> Iterator[tuple[Change, str]]:
    """Which of these changes may turn a decision to permit while a directive is in force, each in words.

    The one judgement of it, for loads and editors alike. ``after`` has the rules that audiences get by the same act. What is
    held counts already: a change is judged against the stricter state that decisions take.
    """
    policy = raw.policy()
    if not policy.directives:
        return
    rules = {row["slug"]: {"all": raw.catalog.rules()[row["id"]]} for row in raw.catalog.audiences}
    in_use = {item.audience.slug for item in policy.model_capabilities.values() if item.enabled and item.audience}
    in_use |= {change.proposed["audience"] for change in _held_items(raw)}
    models = {row["slug"]: row["id"] for row in raw.catalog.models}
    for change in found:
        words = ""
        match change.what:
            case What.AUDIENCE:
                if change.key in in_use and not _narrower(change.proposed["rule"], rules[change.key]):
                    words = f"widen the audience {change.key}"
            case What.ITEM:
                words = _of_item(change, rules, after)
            case What.TIER:
                words = f"lower the tier of {change.key} from {change.before['tier']} to {change.proposed['tier']}"
            case What.PROVIDER:
                words = f"decide on models of {change.key}"
            case What.MODEL_PROVIDER:
                words = f"decide on models of {change.key} ({change.proposed['provider']})"
            case What.LINEAGE:
                if _relied_on(models[change.key], policy):
                    words = f"cut the lineage of {change.key}"
        if words:
            yield change, words


def _held_items(raw: Raw) -> list[Change]:
    return [
        Change(row["what"], row["key"], {}, row["proposed"]) for row in raw.catalog.held if row["what"] == What.ITEM
    ]


def _of_item(change: Change, rules: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    if not change.before["enabled"]:
        return f"enable {change.key}"
    old = rules.get(change.before["audience"] or "", False)
    slug = change.proposed["audience"] or ""
    new = after.get(slug, rules.get(slug, False))
    return "" if _narrower(new, old) else f"widen who may use {change.key}"


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
