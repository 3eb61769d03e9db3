"""``held``: changes that wait for a second person because they would loosen; confirm or refuse one."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from governance.accounts.actor import Actor
from governance.accounts.commands import GovernanceCommand, add_as
from governance.enforcement import held
from governance.enforcement.services import held as services
from governance.enforcement.services import looks
from governance.people.models import HeldWhat


class Command(GovernanceCommand):
    help = "Held changes: list them with what each would open, confirm or refuse one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
        acts.add_parser("list", help="what is held, without any sensitive value; the look is recorded")
        for act in ("confirm", "refuse"):
            decide = acts.add_parser(act, help=f"{act} one")
            decide.add_argument("what", choices=HeldWhat.values)
            decide.add_argument("key", metavar="ID")
            decide.add_argument("--seen", required=True, metavar="T", help="when it was proposed, as list prints it")
        for each in acts.choices.values():
            add_as(each)
            each.add_argument("--json", action="store_true", help="print one JSON document")

    def act(self, **options: Any) -> None:
        actor = self.acting(options["as_user"])
        if options["act"] == "list":
            self._list(actor, options)
            return
        services.decide(
            actor=actor, what=options["what"], key=options["key"], verdict=options["act"], seen=options["seen"]
        )
        if options["json"]:
            self.print_json({"what": options["what"], "id": options["key"], "verdict": options["act"]})
        else:
            self.stdout.write("Confirmed. It is in force." if options["act"] == "confirm" else "Refused.")

    def _list(self, actor: Actor, options: dict[str, Any]) -> None:
        actor.require("view_held")
        looks.record_look(actor=actor, what="held changes", subject="people:all")
        rows = held.everything()
        if options["json"]:
            self.print_json({"held": rows})
            return
        for row in rows:
            opens = row["if_confirmed"]["decisions"]
            self.stdout.write(
                f"{row['what']} {row['id']}  proposed by {row['proposed_by']} at {row['proposed_at']}: "
                f"{', '.join(one['label'] for one in row['differences']).lower()}; confirming opens {opens:,} decisions"
            )
