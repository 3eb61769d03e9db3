from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


def _ensure_roles(sender: AppConfig, **kwargs: Any) -> None:
    from django.contrib.auth.management import create_permissions

    from governance.accounts.services import ensure_roles

    create_permissions(sender, verbosity=0)  # Django's own handler may come after this one
    ensure_roles()


class AccountsConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "governance.accounts"
    label = "accounts"

    def ready(self) -> None:
        # Roles are data that every database needs, in every mode, and that upgrades may change.
        post_migrate.connect(_ensure_roles, sender=self)
