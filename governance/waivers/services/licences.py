"""An authority's licences: recorded for a directive, and the one that an exception draws on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from governance.accounts.actor import Actor
from governance.catalog.models import ModelCapability
from governance.directives import services as directives
from governance.directives.content import Reader, ScopeLine
from governance.directives.models import Directive, DirectiveVersion, Waivable
from governance.directives.states import DirectiveState
from governance.errors import Invalid, Refused
from governance.ledger import services as ledger
from governance.moments import now
from governance.values import longest
from governance.waivers import queries
from governance.waivers.models import Licence, LicenceScope


@transaction.atomic
def record_licences(
    *, actor: Actor, directive: Directive, entries: Sequence[Mapping[str, Any]], path: str = "licences"
) -> list[Licence]:
    """Record an authority's licences for a directive. Raises ``Invalid`` with the path of each error."""
    directive = directives.lock(directive.reference)
    actor.require("edit_case_file" if directive.state != DirectiveState.DRAFT else "draft_directives")
    reader = Reader.of_catalog()
    found: list[tuple[Licence, tuple[ScopeLine, ...]]] = []
    for here, entry in reader.rows(entries, path):
        licence = _read(reader, entry, here, directive)
        if any(licence.reference == earlier.reference for earlier, _ in found):
            reader.error(f"{here}.reference", "stands there twice")
        found.append((licence, reader.scope(entry.get("scope", []), f"{here}.scope")))
    reader.finish("The licence")
    for index, (licence, scope) in enumerate(found):
        _write(actor, licence, scope, f"{path}[{index}]")
    return [licence for licence, _ in found]


def _read(reader: Reader, entry: Mapping[str, Any], here: str, directive: Directive) -> Licence:
    licence = Licence(
        reference=reader.text(entry, "reference", here, required=True, limit=longest(Licence, "reference")),
        directive=directive,
        title=reader.text(entry, "title", here, required=True, limit=longest(Licence, "title")),
        document=reader.text(entry, "document", here, required=True, limit=longest(Licence, "document")),
        people=reader.whole_number(entry.get("people"), f"{here}.people", 1),
        valid_from=reader.time(entry, "valid_from", here),
        valid_until=reader.time(entry, "valid_until", here),
    )
    if Licence.objects.filter(reference=licence.reference).exists():
        reader.error(f"{here}.reference", _exists(licence))
    if not (licence.valid_from and licence.valid_until and licence.valid_from < licence.valid_until):
        reader.error(f"{here}.valid_until", "must lie after valid_from")
    return licence


def _exists(licence: Licence) -> str:
    return f"there is a licence {licence.reference} already"


def _write(actor: Actor, licence: Licence, scope: Sequence[ScopeLine], here: str) -> None:
    try:
        with transaction.atomic():
            licence.save()
    except IntegrityError:  # another session was first with the same reference
        raise Invalid("The licence is not acceptable.", [(f"{here}.reference", _exists(licence))]) from None
    LicenceScope.objects.bulk_create(
        LicenceScope(licence=licence, model_id=line.model_id, capability_id=line.capability_id) for line in scope
    )
    ledger.append(
        action="licence.registered", actor=actor.name, via=actor.via, subject=f"licence:{licence.reference}",
        also=[licence.directive.subject], data={"people": licence.people, "document": licence.document},
    )  # fmt: skip


def licence_for(
    version: DirectiveVersion, items: Sequence[ModelCapability], days: int, reference: str | None
) -> Licence | None:
    """The licence to draw on: the one named, else the one that fits if exactly one does."""
    moment = now()
    until = moment + timedelta(days=days)
    if reference:
        return named_licence(version.directive, items, days, reference)
    if version.waivable != Waivable.AUTHORITY:
        return None
    begun = [one for one in _with_scope(version.directive, items) if one.valid_from <= moment < one.valid_until]
    fitting = [licence for licence in begun if until <= licence.valid_until]
    if len(fitting) > 1:
        raise Invalid("More than one licence fits.", [("licence", f"name one of {', '.join(map(str, fitting))}")])
    if not fitting and begun:
        last = max(licence.valid_until for licence in begun)
        raise Invalid("The duration is not acceptable.", [("days", f"the licence ends on {last:%Y-%m-%d}")])
    return fitting[0] if fitting else None


def only_fitting(directive: Directive, items: Sequence[ModelCapability], days: int) -> Licence | None:
    """The licence that fits from now for so many days, if exactly one does: nothing is chosen for anybody."""
    moment = now()
    until = moment + timedelta(days=days)
    fitting = [one for one in _with_scope(directive, items) if one.valid_from <= moment and until <= one.valid_until]
    return fitting[0] if len(fitting) == 1 else None


def named_licence(directive: Directive, items: Sequence[ModelCapability], days: int, reference: str) -> Licence:
    """The licence of that name, if it fits from now for so many days; else ``Invalid`` says why not."""
    moment = now()
    licence = Licence.objects.filter(reference=reference, directive=directive).first()
    if licence is None:
        raise Invalid("The licence does not fit.", [("licence", f"there is no licence {reference} for it")])
    if not queries.licence_has(licence, items):
        raise Invalid("The licence does not fit.", [("licence", "its scope lacks a capability asked for")])
    if licence.valid_from > moment or moment + timedelta(days=days) > licence.valid_until:
        runs = f"runs from {licence.valid_from:%Y-%m-%d} to {licence.valid_until:%Y-%m-%d}"
        raise Invalid("The duration is not acceptable.", [("days", f"{licence.reference} {runs}")])
    return licence


def still_fits(licence: Licence, items: Sequence[ModelCapability], days: int) -> bool:
    """Whether a licence has what is asked for, from now for so many days."""
    moment = now()
    fits = licence.valid_from <= moment and moment + timedelta(days=days) <= licence.valid_until
    return fits and queries.licence_has(licence, items)


def _with_scope(directive: Directive, items: Sequence[ModelCapability]) -> list[Licence]:
    licences = directive.licences.prefetch_related("scope")
    return [licence for licence in licences if queries.licence_has(licence, items)]


def check_draw(licence: Licence, person_id: str, starts: datetime, ends: datetime) -> None:
    """Say in words what the database's trigger would refuse: a licence overdrawn, outlasted or not begun."""
    licence = Licence.objects.select_for_update().get(pk=licence.pk)
    if starts < licence.valid_from:
        raise Refused(f"{licence.reference} is not valid before {licence.valid_from:%Y-%m-%d}.")
    if ends > licence.valid_until:
        raise Refused(f"The waiver would outlast {licence.reference}, which ends on {licence.valid_until:%Y-%m-%d}.")
    if queries.people_drawing(licence, starts, ends, other_than=person_id) >= licence.people:
        raise Refused(
            f"{licence.reference} is drawn in full: it allows {licence.people} people at a time. "
            "The request stays as it is; it can be carried out when a waiver under it ends."
        )
