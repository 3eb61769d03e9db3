"""``create_token NAME --scope S…``: a machine client's credential."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from governance.accounts import services
from governance.accounts.commands import GovernanceCommand
from governance.accounts.models import Scope


class Command(GovernanceCommand):
    help = "Create a token for a machine client and print it, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--scope", action="append", required=True, choices=Scope.values, dest="scopes")

    def act(self, **options: Any) -> None:
        self.stdout.write(services.create_token(actor=self.machine(), name=options["name"], scopes=options["scopes"]))
