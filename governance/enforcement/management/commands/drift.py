"""``drift``: restrictions against rules; ``--repair`` makes them right, and the rule wins."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from governance.accounts.commands import GovernanceCommand
from governance.enforcement.services import runs


class Command(GovernanceCommand):
    help = "Compare restrictions with rules; 0 when right."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="make the restrictions what the rules say")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def act(self, **options: Any) -> None:
        if options["repair"]:
            runs.repair(actor=self.machine())
        drift, due = runs.measure_drift()
        if options["json"]:
            self.print_json({"drift": drift.total, "missing": drift.missing, "extra": drift.extra, "due": due})
        else:
            self.stdout.write(
                f"drift {drift.total}: {drift.missing} missing, {drift.extra} extra; {due} due by the clock"
            )
