"""``import_people``: upsert people and organisations from CSV or XLSX files."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from governance.accounts.commands import GovernanceCommand
from governance.enforcement.services.people import import_people


class Command(GovernanceCommand):
    help = "Upsert people and organisations by id; all or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--people", type=Path, metavar="F.csv")
        parser.add_argument("--organisations", type=Path, metavar="F.csv")
        parser.add_argument("--dry-run", action="store_true", help="check and count, write nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def act(self, **options: Any) -> None:
        report = import_people(
            actor=self.machine(),
            people_file=options["people"],
            organisations_file=options["organisations"],
            dry_run=options["dry_run"],
        )
        if options["json"]:
            self.print_json(report.as_json())
        for error in report.errors:
            self.stderr.write(str(error))
        if report.errors:
            self.stderr.write(f"Refused: {len(report.errors)} errors. Nothing was written.")
            sys.exit(1)
        if not options["json"]:
            self._tell(report.counts.as_json(), dry_run=report.dry_run)

    def _tell(self, counts: dict[str, int], *, dry_run: bool) -> None:
        words = ", ".join(f"{number} {name}" for name, number in counts.items())
        self.stdout.write(f"{'Would be: ' if dry_run else ''}{words}.")
        if counts["held"]:
            self.stdout.write(
                f"{counts['held']} rows would loosen while a directive is in force. They wait for a second person; "
                "until then the stricter of the old and the new values counts."
            )
