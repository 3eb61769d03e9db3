"""Loading an empty system on its first start."""

from __future__ import annotations

import secrets
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
from governance.people.models import Person

SCENARIO = Path(__file__).resolve().parents[2] / "data"


@transaction.atomic
def first_start(*, mode: str, password: str) -> str | None:
    """Create what ``mode`` (``1``, ``accounts`` or ``0``) asks for and is missing.

    Returns the demo accounts' password if it was generated now: the only moment it can be read.
    """
    actor = Actor.machine("system:first-start")
    if mode == "0" or User.objects.filter(is_demo=True).exists():
        return None
    chosen = password or secrets.token_urlsafe(9)
    accounts.ensure_demo_accounts(actor=actor, password=chosen)
    if mode == "1" and not Person.objects.exists() and not Directive.objects.exists():
        _load_scenario(actor)
    return None if password else chosen


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
