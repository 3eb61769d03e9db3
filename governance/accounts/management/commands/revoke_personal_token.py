"""``revoke_personal_token TOKEN --as USER``: end a token at once, by its name or its number."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from governance.accounts import queries, tokens
from governance.accounts.commands import GovernanceCommand, add_as
from governance.errors import NotFound
from governance.values import typed_number


class Command(GovernanceCommand):
    help = (
        "End a personal token: one of the account's own by its name or number; an administrator ends any by its number."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("token", metavar="NAME|NUMBER")
        add_as(parser)

    def act(self, **options: Any) -> None:
        actor = self.acting(options["as_user"])
        assert actor.user is not None
        own = queries.tokens_of(actor.user).filter(name=options["token"], revoked_at=None).first()
        number = own.pk if own else typed_number(options["token"])
        if number is None:
            raise NotFound("There is no such token of yours.")
        tokens.revoke_personal_token(actor=actor, token_id=number)
        self.stdout.write(f"Token {number} is revoked.")
