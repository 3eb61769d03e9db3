"""Loading directives of a scenario file as drafts, with case files, alternatives and licences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction

from governance.accounts.actor import Actor
from governance.directives import files
from governance.directives import services as directives
from governance.waivers import services as waivers


@transaction.atomic
def load_directives(*, actor: Actor, document: Mapping[str, Any], read_file: Callable[[str], bytes]) -> list[str]:
    """Load every directive of the document, or none. ``read_file`` brings the bytes of a file that the case names.

    Raises ``Invalid`` with the path of each error, also for a reference that exists.
    """
    actor.require("draft_directives")
    statements = files.read_directives(document, read_file)
    loaded = []
    for index, (statement, entry) in enumerate(zip(statements, document["directives"], strict=True)):
        directive = directives.create_directive(actor=actor, statement=statement)
        if entry.get("licences"):
            waivers.register_licences(
                actor=actor, directive=directive, entries=entry["licences"], path=f"directives[{index}].licences"
            )
        loaded.append(directive.reference)
    return loaded
