"""``delegation``: let somebody decide for oneself, for a time; end it; list them."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from governance.accounts.actor import Actor
from governance.accounts.commands import GovernanceCommand, add_as
from governance.accounts.queries import find_user
from governance.approvals import queries, services
from governance.approvals.models import Delegation
from governance.errors import Invalid
from governance.moments import now
from governance.values import Unfit, moment


class Command(GovernanceCommand):
    help = "Delegations: give one, end one, list those given and held."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
        give = acts.add_parser("give", help="let an account decide what yours may")
        give.add_argument("delegate", metavar="ACCOUNT")
        give.add_argument("--from", dest="starts_at", metavar="T", help="a time with its zone; at once without it")
        give.add_argument("--until", dest="ends_at", required=True, metavar="T")
        give.add_argument("--reason", required=True, metavar="R")
        acts.add_parser("revoke", help="end one at once").add_argument("id", type=int, metavar="ID")
        acts.add_parser("list", help="those given and held, newest first")
        for each in acts.choices.values():
            add_as(each)
            each.add_argument("--json", action="store_true", help="print one JSON document")

    def act(self, **options: Any) -> None:
        actor = self.acting(options["as_user"])
        if options["act"] == "list":
            self._list(actor, options)
            return
        found = (
            services.revoke(actor=actor, delegation_id=options["id"])
            if options["act"] == "revoke"
            else _give(actor, options)
        )
        if options["json"]:
            self.print_json(_as_json(found))
        else:
            until = "no more" if found.revoked_at else f"until {found.ends_at.isoformat()}"
            self.stdout.write(f"{found.pk}: {found.delegate.username} decides for {found.principal.username} {until}.")

    def _list(self, actor: Actor, options: dict[str, Any]) -> None:
        assert actor.user is not None
        found = [_as_json(one) for one in queries.delegations_of(actor.user).order_by("-pk")]
        if options["json"]:
            self.print_json({"delegations": found})
            return
        for one in found:
            state = f"ended {one['revoked_at']}" if one["revoked_at"] else f"{one['starts_at']} to {one['ends_at']}"
            self.stdout.write(f"{one['id']}: {one['delegate']} for {one['principal']}, {state}")


def _give(actor: Actor, options: dict[str, Any]) -> Delegation:
    to = find_user(options["delegate"])
    if to is None:
        raise Invalid("The delegation is not acceptable.", [("delegate", "must be the name of an account")])
    starts_at = _time("from", options["starts_at"]) if options["starts_at"] else now()
    return services.delegate(
        actor=actor, to=to, starts_at=starts_at, ends_at=_time("until", options["ends_at"]), reason=options["reason"]
    )


def _time(name: str, given: str) -> datetime:
    try:
        return moment(given)
    except Unfit as unfit:
        raise Invalid("The delegation is not acceptable.", [(name, unfit.reason)]) from None


def _as_json(one: Delegation) -> dict[str, Any]:
    return {
        "id": one.pk, "principal": one.principal.username, "delegate": one.delegate.username,
        "starts_at": one.starts_at.isoformat(), "ends_at": one.ends_at.isoformat(), "reason": one.reason,
        "revoked_at": one.revoked_at.isoformat() if one.revoked_at else None,
    }  # fmt: skip
