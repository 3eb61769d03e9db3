"""Directives that were in force before people were told by messages: nobody is told of them out of the blue."""

from typing import Any

from django.db import migrations
from django.utils import timezone


def leave_alone(apps: Any, schema_editor: Any) -> None:
    Run, Announcement = apps.get_model("enforcement", "Run"), apps.get_model("communications", "Announcement")
    newest: dict[int, Any] = {run.directive_id: run for run in Run.objects.order_by("id")}
    Announcement.objects.bulk_create(
        Announcement(
            directive_id=run.directive_id, version_id=run.version_id, run=run, occasion="activation", state="stopped",
            created_at=timezone.now(), created_by="system:messages",
            stop_reason="It was in force before messages were sent to people. A new version tells them.",
        )
        for run in newest.values()
    )  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("communications", "0001_messages")]
    operations = [migrations.RunPython(leave_alone, migrations.RunPython.noop)]
