"""What every command shares: who acts, one JSON document, refusals on stderr with exit status 1."""

from __future__ import annotations

import getpass
import json
import os
import sys
import uuid
from abc import abstractmethod
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.db import OperationalError

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.accounts.queries import find_user
from governance.errors import Invalid, PermissionRefused, Refused
from governance.ledger.context import log_context
from governance.values import storable


def os_user() -> str:
    """The operating-system user behind a command, as the ledger names it."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"cli:{os.getuid()}"


class GovernanceCommand(BaseCommand):
    """Subclasses implement ``act``; refusals become one line on stderr and exit status 1."""

    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            _refuse_unreadable(options)
            with log_context(request_id=f"cli-{uuid.uuid4()}"):
                self.act(**options)
        except Refused as refusal:
            self.refuse(refusal.reason)
        except OperationalError as error:
            self.refuse(f"The database did not answer: {str(error).splitlines()[0]}")

    @abstractmethod
    def act(self, **options: Any) -> None:
        """Do what the command does."""

    def refuse(self, reason: str) -> None:
        self.stderr.write(reason)
        sys.exit(1)

    def print_json(self, document: Any) -> None:
        self.stdout.write(json.dumps(document, ensure_ascii=False))

    def machine(self) -> Actor:
        """Whoever administers the machine."""
        return Actor.machine(os_user())

    def acting(self, username: str) -> Actor:
        """The account named by ``--as``. Demo accounts need no password here; others do, or ``AS_PASSWORD_FILE``."""
        user = find_user(username)
        if user is None or not user.is_active:
            raise PermissionRefused(f"There is no active account {username}.")
        # Whoever runs commands can read the database with its password hashes; counting attempts here, as the sign-in page
        # does, would only let them lock others out of the pages.
        if not user.is_demo and not user.check_password(_password(user)):
            raise PermissionRefused(f"The password of {username} is not right.")
        return Actor.for_user(user, via=os_user())


def _refuse_unreadable(options: dict[str, Any]) -> None:
    """A terminal may hand over bytes that are no text in its encoding; no name or reason holds any."""
    for name, value in options.items():
        words = value if isinstance(value, list) else [value]
        if not all(storable(word) for word in words if isinstance(word, str)):
            raise Invalid("The command could not be read.", [(name, "holds a character that cannot be stored")])


def add_as(parser: ArgumentParser) -> None:
    parser.add_argument("--as", dest="as_user", required=True, metavar="USER", help="act with this account's rights")


def _password(user: User) -> str:
    return ask_password(user.username, "AS_PASSWORD_FILE")


def ask_password(username: str, variable: str) -> str:
    """A password from the file that an environment variable names, else from the terminal; never from the command line."""
    file = os.environ.get(variable)
    if file:
        try:
            return Path(file).read_text().rstrip("\n")
        except OSError as error:
            raise PermissionRefused(f"{variable} {file} cannot be read: {error.strerror}.") from None
    if not sys.stdin.isatty():
        raise PermissionRefused(f"{username} needs a password: name a file in {variable}.")
    return getpass.getpass(f"Password of {username}: ")
