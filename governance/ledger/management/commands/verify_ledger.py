"""``verify_ledger``: recompute the whole ledger from nothing."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from governance.ledger import services


class Command(BaseCommand):
    help = (
        "Recompute every digest, the order, the tree and the signatures of the ledger; exit 1 if anything does not fit."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        services.seal()
        report = services.verify()
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json()))
        elif report.ok:
            self.stdout.write(
                f"The ledger fits: {report.entries} entries, {report.tree_size} sealed, root {report.root}."
            )
        if not report.ok:
            self.stderr.write(f"The ledger does not fit. First: {report.first_bad}.")
            raise SystemExit(1)
