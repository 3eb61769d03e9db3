"""``decide``: one decision, shaped as the API's with scope ``explain``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from governance.accounts.commands import GovernanceCommand
from governance.enforcement.answers import as_json, refuse_time_travel
from governance.enforcement.decision import decide
from governance.enforcement.explanation import explain_now


class Command(GovernanceCommand):
    help = "May this person use this capability of this model, now?"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--person", required=True, metavar="ID")
        parser.add_argument("--model", required=True, metavar="M")
        parser.add_argument("--capability", required=True, metavar="C")
        parser.add_argument("--at", metavar="T", help="a time in history (not kept yet)")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def act(self, **options: Any) -> None:
        refuse_time_travel(options["at"])
        decision = decide(options["person"], options["model"], options["capability"])
        answer = as_json(decision, explain_now(decision))
        if options["json"]:
            self.print_json(answer)
        else:
            self.stdout.write(f"{'permit' if decision.permit else 'deny'} ({decision.code})")
            self.stdout.write(answer["context"]["reason"]["summary"])
