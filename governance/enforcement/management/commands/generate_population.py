"""``generate_population N``: invented people with realistic attributes, in bulk."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from governance.accounts.commands import GovernanceCommand
from governance.enforcement.services.people import generate_population


class Command(GovernanceCommand):
    help = "Add invented people with realistic attributes, in bulk."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("n", type=int, metavar="N")
        parser.add_argument("--seed", type=int, default=1, metavar="S")

    def act(self, **options: Any) -> None:
        created = generate_population(actor=self.machine(), number=options["n"], seed=options["seed"])
        self.stdout.write(f"{created} people created.")
