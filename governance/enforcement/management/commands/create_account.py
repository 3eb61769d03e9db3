"""``create_account NAME --email E --role R…``: an account with its roles, where there are no demo accounts."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from governance.accounts.commands import GovernanceCommand, ask_password
from governance.accounts.rights import ROLES
from governance.enforcement.services import roles


class Command(GovernanceCommand):
    help = "Create an account; its password comes from the terminal or from the file that PASSWORD_FILE names."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--email", required=True, help="joins the account with the person of that address")
        parser.add_argument("--name", default="", help="the full name")
        parser.add_argument("--role", action="append", default=[], choices=sorted(ROLES), dest="roles")

    def act(self, **options: Any) -> None:
        given = roles.create_account(
            actor=self.machine(),
            username=options["username"],
            email=options["email"],
            full_name=options["name"],
            roles=options["roles"],
            password=ask_password(options["username"], "PASSWORD_FILE"),
        )
        waits = f" What waits for a second person: {', '.join(given.held)}." if given.held else ""
        self.stdout.write(f"{given.user.username} can sign in.{waits}")
