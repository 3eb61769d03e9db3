"""``import_catalog``: the providers, capabilities, models and audiences of a scenario file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from governance.accounts.commands import GovernanceCommand
from governance.enforcement.documents import read_yaml
from governance.enforcement.services.catalog import import_catalog


class Command(GovernanceCommand):
    help = "Load providers, capabilities, models and audiences; upsert by slug."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="F.yaml")
        parser.add_argument(
            "--hold", action="store_true",
            help="have what would loosen while a directive is in force wait for a second person, instead of refusing it",
        )  # fmt: skip
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def act(self, **options: Any) -> None:
        report = import_catalog(actor=self.machine(), document=read_yaml(options["file"]), hold=options["hold"])
        if options["json"]:
            self.print_json(report.as_json())
        else:
            waits = f" {report.held} held for a second person." if report.held else ""
            self.stdout.write(
                f"{report.created} created, {report.updated} updated, {report.unchanged} unchanged.{waits}"
            )
