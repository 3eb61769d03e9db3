"""``why``: the explanation of a decision in plain text, without attribute values."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from governance.accounts.commands import GovernanceCommand
from governance.enforcement.answers import in_words
from governance.enforcement.decision import decide
from governance.enforcement.explanation import explain_now


class Command(GovernanceCommand):
    help = "Why may this person use this capability of this model, or why not?"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--person", required=True, metavar="ID")
        parser.add_argument("--model", required=True, metavar="M")
        parser.add_argument("--capability", required=True, metavar="C")

    def act(self, **options: Any) -> None:
        decision = decide(options["person"], options["model"], options["capability"])
        self.stdout.write(in_words(decision, explain_now(decision)))
