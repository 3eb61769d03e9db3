"""Changes of the catalog and of roles that wait for a second person; they shape policy, so they move its epoch."""
# ruff: noqa: E501 (the trigger functions stand as they were generated)

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

_MOVE = """
CREATE TRIGGER move_policy_epoch AFTER INSERT OR UPDATE OR DELETE ON enforcement_heldchange FOR EACH STATEMENT
    EXECUTE FUNCTION enforcement_move_policy_epoch();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("enforcement", "0006_epoch_only_grows"),
        ("waivers", "0006_life_functions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="HeldChangeVerdict",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("change", models.BigIntegerField(unique=True)),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("audience", "Audience"),
                            ("model_capability", "Model capability"),
                            ("lineage", "Lineage of a model"),
                            ("tier", "Tier of a capability"),
                            ("provider", "Provider"),
                            ("model_provider", "Provider of a model"),
                            ("roles", "Roles of an account"),
                        ],
                        max_length=20,
                    ),
                ),
                ("key", models.CharField(max_length=160)),
                ("confirmed", models.BooleanField()),
                ("proposed_by", models.CharField(max_length=150)),
                ("proposed_at", models.DateTimeField()),
                ("via", models.CharField(blank=True, max_length=150)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name="HeldChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("audience", "Audience"),
                            ("model_capability", "Model capability"),
                            ("lineage", "Lineage of a model"),
                            ("tier", "Tier of a capability"),
                            ("provider", "Provider"),
                            ("model_provider", "Provider of a model"),
                            ("roles", "Roles of an account"),
                        ],
                        max_length=20,
                    ),
                ),
                ("key", models.CharField(max_length=160)),
                ("before", models.JSONField()),
                ("proposed", models.JSONField()),
                (
                    "parties",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), blank=True, default=list, size=None
                    ),
                ),
                ("proposed_by", models.CharField(max_length=150)),
                ("proposed_via", models.CharField(blank=True, max_length=150)),
                ("proposed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "ordering": ["-proposed_at", "-id"],
                "constraints": [models.UniqueConstraint(fields=("what", "key"), name="held_change_once")],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="heldchange",
            trigger=pgtrigger.compiler.Trigger(
                name="held_change_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="ff917a439d531f24385a2261c506c6bc1607dc24",
                    operation="UPDATE",
                    pgid="pgtrigger_held_change_fixed_cbd50",
                    table="enforcement_heldchange",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="heldchange",
            trigger=pgtrigger.compiler.Trigger(
                name="held_change_answered",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                    IF NOT EXISTS (SELECT 1 FROM enforcement_heldchangeverdict v WHERE v.change = OLD.id) THEN\n                        RAISE EXCEPTION 'a held change goes with a second person''s answer only';\n                    END IF;\n                    RETURN OLD;\n                ",
                    hash="957b1ace81f38844207e4337bf5b9ef64cda8ddb",
                    operation="DELETE",
                    pgid="pgtrigger_held_change_answered_2337d",
                    table="enforcement_heldchange",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="heldchange",
            trigger=pgtrigger.compiler.Trigger(
                name="held_change_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'a held change goes with a second person''s answer only';",
                    hash="47ead579080025bdca0b8f9a177b216c52f76822",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_held_change_no_truncate_39baf",
                    table="enforcement_heldchange",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddField(
            model_name="heldchangeverdict",
            name="decided_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddIndex(
            model_name="heldchangeverdict",
            index=models.Index(fields=["what", "key"], name="held_change_verdict_of"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="heldchangeverdict",
            trigger=pgtrigger.compiler.Trigger(
                name="held_change_verdict_keep",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="0edbd1fac99234db672c0f9c2662493c35d2b9a8",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_held_change_verdict_keep_7f457",
                    table="enforcement_heldchangeverdict",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="heldchangeverdict",
            trigger=pgtrigger.compiler.Trigger(
                name="held_change_second_person",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE held enforcement_heldchange%ROWTYPE; decider accounts_user%ROWTYPE;",
                    func="\n                    SELECT * INTO held FROM enforcement_heldchange h WHERE h.id = NEW.change FOR UPDATE;\n                    SELECT * INTO decider FROM accounts_user u WHERE u.id = NEW.decided_by_id;\n                    IF held.id IS NULL OR (held.what, held.key, held.proposed_by, held.proposed_at)\n                       IS DISTINCT FROM (NEW.what, NEW.key, NEW.proposed_by, NEW.proposed_at) THEN\n                        RAISE EXCEPTION 'there is no such change to decide';\n                    END IF;\n                    IF NOT (waivers_has_right(decider.id, 'confirm_held')\n                            OR held.what = 'roles' AND waivers_has_right(decider.id, 'administer')) THEN\n                        RAISE EXCEPTION 'a held change is decided by an active account with the right to';\n                    END IF;\n                    IF decider.username = held.proposed_by OR (NOT decider.is_demo AND NEW.via <> ''\n                           AND NEW.via IN (held.proposed_by, held.proposed_via)) THEN\n                        RAISE EXCEPTION 'a second person decides about a held change';\n                    END IF;\n                    IF decider.id = ANY(held.parties) OR (held.what = 'roles' AND held.key = decider.username) THEN\n                        RAISE EXCEPTION 'nobody decides about a held change that they gain by';\n                    END IF;\n                    RETURN NEW;\n                ",
                    hash="5f169b0703f52eebfa1d4e5134d1cbdcc880121b",
                    operation="INSERT",
                    pgid="pgtrigger_held_change_second_person_dd9e7",
                    table="enforcement_heldchangeverdict",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunSQL(_MOVE, "DROP TRIGGER move_policy_epoch ON enforcement_heldchange;"),
    ]
