from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


def _grant(sender: AppConfig, **kwargs: Any) -> None:
    from django.conf import settings

    from governance.ledger.grants import grant_program_role

    grant_program_role(settings.PROGRAM_ROLE)


class LedgerConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "governance.ledger"
    label = "ledger"

    def ready(self) -> None:
        # Every migration may bring tables; the signal comes when all of them are there.
        post_migrate.connect(_grant, sender=self)
