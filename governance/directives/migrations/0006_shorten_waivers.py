"""A version may shorten the waivers that run when it takes force."""
# ruff: noqa: E501 (the trigger functions stand as they were generated)

import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("directives", "0005_object_permissions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="directiveversion",
            name="version_immutable",
        ),
        migrations.AddField(
            model_name="directiveversion",
            name="waivers_days",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="directiveversion",
            name="waivers_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="directiveversion",
            name="waivers",
            field=models.CharField(
                choices=[("keep", "Keep those within its scope"), ("shorten", "Shorten"), ("end", "End")],
                default="keep",
                max_length=10,
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="directiveversion",
            trigger=pgtrigger.compiler.Trigger(
                name="version_immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.state <> 'draft')",
                    func="\n                    IF OLD.effect IS DISTINCT FROM NEW.effect OR OLD.on_unknown_then IS DISTINCT FROM NEW.on_unknown_then OR OLD.on_unknown_hours IS DISTINCT FROM NEW.on_unknown_hours OR OLD.waivable IS DISTINCT FROM NEW.waivable OR OLD.include_derived IS DISTINCT FROM NEW.include_derived OR OLD.rule IS DISTINCT FROM NEW.rule OR OLD.expanded_rule IS DISTINCT FROM NEW.expanded_rule OR OLD.legal_basis IS DISTINCT FROM NEW.legal_basis OR OLD.effective_at IS DISTINCT FROM NEW.effective_at OR OLD.expires_at IS DISTINCT FROM NEW.expires_at OR OLD.replaces_id IS DISTINCT FROM NEW.replaces_id OR OLD.waivers IS DISTINCT FROM NEW.waivers OR OLD.waivers_days IS DISTINCT FROM NEW.waivers_days OR OLD.waivers_until IS DISTINCT FROM NEW.waivers_until OR OLD.restart_verify IS DISTINCT FROM NEW.restart_verify OR OLD.definitions IS DISTINCT FROM NEW.definitions OR OLD.digest IS DISTINCT FROM NEW.digest OR OLD.directive_id IS DISTINCT FROM NEW.directive_id OR OLD.number IS DISTINCT FROM NEW.number OR OLD.author_id IS DISTINCT FROM NEW.author_id OR OLD.writers IS DISTINCT FROM NEW.writers THEN\n                        RAISE EXCEPTION 'a version is immutable once submitted';\n                    END IF;\n                    RETURN NEW;\n                ",
                    hash="af800c2db1547e55ba621f6ddc8c5ce3d7775681",
                    operation="UPDATE",
                    pgid="pgtrigger_version_immutable_6d232",
                    table="directives_directiveversion",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="directiveversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("waivers", "shorten"), ("waivers_days__gt", 0), ("waivers_until", None)),
                    models.Q(("waivers", "shorten"), ("waivers_days", None), ("waivers_until__isnull", False)),
                    models.Q(
                        models.Q(("waivers", "shorten"), _negated=True), ("waivers_days", None), ("waivers_until", None)
                    ),
                    _connector="OR",
                ),
                name="version_shortens_waivers",
            ),
        ),
    ]
