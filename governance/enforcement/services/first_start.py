"""Loading an empty system on its first start."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

import yaml
from django.db import transaction

from governance.accounts import services as accounts
from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.directives.models import Directive
from governance.enforcement.documents import beside
from governance.enforcement.services.catalog import import_catalog
from governance.enforcement.services.loading import load_directives
from governance.enforcement.services.people import import_people
from governance.errors import Refused
from governance.ledger import services as ledger
from governance.ledger.models import Entry
from governance.people.models import Person

SCENARIO = Path(__file__).resolve().parents[2] / "data"


SUBJECT = "system:first-start"


@dataclass(frozen=True)
class FirstStart:
    """Whether this was the first start, and the demo accounts' password where there are such accounts: the only moment it can
    be read.
    """

    done: bool
    password: str | None = None


def was_started() -> bool:
    """Whether the first start has happened. It is in the record, so that it never happens again, whatever ``DEMO`` says later."""
    return Entry.objects.filter(subject=SUBJECT).exists()


@transaction.atomic
def first_start(*, mode: str, password: str) -> FirstStart:
    """Create what ``mode`` (``1``, ``accounts`` or ``0``) asks for, in a system that was never started before.

    A system with accounts or people of its own gets nothing: demo accounts need no password on the command line.
    """
    actor = Actor.machine(SUBJECT)
    if was_started():
        return FirstStart(done=False)
    fresh = not (User.objects.exists() or Person.objects.exists() or Directive.objects.exists())
    ledger.append(action="system.first_start", actor=actor.name, subject=SUBJECT, data={"mode": mode, "fresh": fresh})
    if mode == "0" or not fresh:
        return FirstStart(done=True)
    chosen = password or secrets.token_urlsafe(9)
    accounts.ensure_demo_accounts(actor=actor, password=chosen)
    if mode == "1":
        _load_scenario(actor)
    return FirstStart(done=True, password=chosen)


def _load_scenario(actor: Actor) -> None:
    file = SCENARIO / "scenario.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    import_catalog(actor=actor, document=document)
    report = import_people(
        actor=actor, people_file=SCENARIO / "people.csv", organisations_file=SCENARIO / "organisations.csv"
    )
    if report.errors:
        raise Refused("; ".join(map(str, report.errors)))
    # The draft is legal's: it came with the letter. So operators submit what they did not write themselves.
    author = Actor.for_user(User.objects.get(username="anjali"), via=actor.name)
    load_directives(actor=author, document=document, read_file=beside(file))
