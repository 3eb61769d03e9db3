"""``create_personal_token NAME --as USER``: what a person's own programs show at ``/api/v1/``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from governance.accounts import tokens
from governance.accounts.commands import GovernanceCommand, add_as
from governance.accounts.models import Reach


class Command(GovernanceCommand):
    help = "Create a token for an account's own programs and print it, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--reach", choices=Reach.values, default=Reach.ACT)
        parser.add_argument(
            "--days", type=int, default=tokens.DEFAULT_DAYS, metavar="N", help="until it ends by itself"
        )
        add_as(parser)

    def act(self, **options: Any) -> None:
        self.stdout.write(
            tokens.create_personal_token(
                actor=self.acting(options["as_user"]),
                name=options["name"],
                reach=options["reach"],
                days=options["days"],
            )
        )
