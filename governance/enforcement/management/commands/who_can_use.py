"""``who_can_use``: the ids of everybody permitted on a model capability, sorted."""

from __future__ import annotations

import csv
from argparse import ArgumentParser
from typing import Any

from governance.accounts.commands import GovernanceCommand
from governance.enforcement.answers import refuse_time_travel
from governance.enforcement.population import who_can_use
from governance.errors import NotFound


class Command(GovernanceCommand):
    help = "Who may use this capability of this model, now?"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--model", required=True, metavar="M")
        parser.add_argument("--capability", required=True, metavar="C")
        parser.add_argument("--at", metavar="T", help="a time in history (not kept yet)")
        parser.add_argument("--format", choices=["csv", "json"], default="csv")

    def act(self, **options: Any) -> None:
        refuse_time_travel(options["at"])
        found = who_can_use(options["model"], options["capability"])
        if found is None:
            raise NotFound(f"There is no model capability {options['model']}/{options['capability']}.")
        if options["format"] == "json":
            self.print_json(found)
        else:
            rows = csv.writer(self.stdout, lineterminator="\n")
            rows.writerows([["person_id"], *([person_id] for person_id in found)])
