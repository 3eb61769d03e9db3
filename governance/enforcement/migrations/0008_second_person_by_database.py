"""A stored preview is what an approval is bound to: it does not change."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("enforcement", "0007_held_changes"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="storedpreview",
            name="stored_preview_keep",
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="storedpreview",
            trigger=pgtrigger.compiler.Trigger(
                name="stored_preview_keep",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="64b89ba41d0e0ad3abd2bc460cdb86900c06c315",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_stored_preview_keep_913ec",
                    table="enforcement_storedpreview",
                    when="BEFORE",
                ),
            ),
        ),
    ]
