from django.apps import AppConfig


class WaiversConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "governance.waivers"
    label = "waivers"
