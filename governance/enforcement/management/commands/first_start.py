"""``first_start``: what an empty system gets once, by ``DEMO``: accounts, and the founding scenario with its directive as a draft."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from governance.accounts.commands import GovernanceCommand
from governance.enforcement.services.first_start import first_start


class Command(GovernanceCommand):
    help = "Load the demo accounts and the founding scenario, once; runs again without effect."

    def act(self, **options: Any) -> None:
        found = first_start(mode=settings.DEMO, password=settings.DEMO_PASSWORD)
        if found.password is not None:
            self.stdout.write(found.password)
