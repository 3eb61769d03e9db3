"""``record_bounce``: note that a message to a person came back. Meant to be fed by the mail system, one notification at a time."""

from __future__ import annotations

import sys
from typing import Any

from governance.accounts.commands import GovernanceCommand
from governance.communications import services


class Command(GovernanceCommand):
    help = "Reads one delivery status notification (RFC 3464) from standard input and notes which message came back."

    def act(self, **options: Any) -> None:
        message = services.note_bounce(actor=self.machine(), notification=sys.stdin.buffer.read())
        self.stdout.write(f"Message {message.pk}: {message.get_mail_display().lower()}.")
