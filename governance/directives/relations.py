"""Who stands in which relation to a request about a directive or its case."""

from __future__ import annotations

from governance.accounts import objects
from governance.accounts.models import User
from governance.approvals import relations
from governance.directives.models import Directive


def of_request(user: User | None, directive: Directive) -> dict[str, dict[int, list[str]]]:
    """For every relation that a directive's requests offer, the accounts that stand in it now, and through what."""
    above = relations.of_requester(user) if user else {}
    way = relations.through_permission("directives.directive", objects.COUNSEL, directive.pk)
    counsel = objects.holders(objects.COUNSEL, directive).values_list("pk", flat=True)
    return above | {relations.CASE_COUNSEL.name: {pk: [way] for pk in counsel}}
