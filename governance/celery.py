"""The Celery application. Its settings are the ``CELERY_…`` of Django's."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings")
app = Celery("governance")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(
    ["governance.ledger", "governance.enforcement", "governance.communications", "governance.notifications"]
)
