"""``set_roles NAME --role R…``: give an account exactly these roles; none takes all of them away."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from governance.accounts.commands import GovernanceCommand
from governance.accounts.rights import ROLES
from governance.enforcement.services import roles


class Command(GovernanceCommand):
    help = (
        "Give an account exactly these roles. While a directive is in force, a role by which something could be loosened "
        "waits for a second person; taking one away acts at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--role", action="append", default=[], choices=sorted(ROLES), dest="roles")

    def act(self, **options: Any) -> None:
        given = roles.set_roles(actor=self.machine(), username=options["username"], roles=options["roles"])
        self.stdout.write(f"{given.user.username} has {', '.join(given.roles) or 'no role'}.")
        if given.held:
            self.stdout.write(f"What waits for a second person: {', '.join(given.held)}.")
