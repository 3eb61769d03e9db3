"""A second person's answers to held changes."""
# ruff: noqa: E501 (the trigger functions stand as they were generated)

import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0003_object_permissions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="HeldVerdict",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "what",
                    models.CharField(choices=[("person", "Person"), ("organisation", "Organisation")], max_length=12),
                ),
                ("key", models.TextField(db_collation="C")),
                ("confirmed", models.BooleanField()),
                ("proposed_by", models.CharField(max_length=150)),
                ("proposed_at", models.DateTimeField()),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "decided_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["what", "key"], name="held_verdict_of")],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="heldverdict",
            trigger=pgtrigger.compiler.Trigger(
                name="held_verdict_keep",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="ce439116379d184bf910de8f3d046123823135f2",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_held_verdict_keep_7f1d8",
                    table="people_heldverdict",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="heldverdict",
            trigger=pgtrigger.compiler.Trigger(
                name="held_verdict_of_a_second_person",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                    IF NOT EXISTS (SELECT 1 FROM people_heldperson h\n                                    WHERE NEW.what = 'person' AND h.person_id = NEW.key\n                                      AND (h.proposed_by, h.proposed_at) = (NEW.proposed_by, NEW.proposed_at)\n                                   UNION ALL\n                                   SELECT 1 FROM people_heldorganisation h\n                                    WHERE NEW.what = 'organisation' AND h.organisation_id = NEW.key\n                                      AND (h.proposed_by, h.proposed_at) = (NEW.proposed_by, NEW.proposed_at)) THEN\n                        RAISE EXCEPTION 'there is no such change to decide';\n                    END IF;\n                    IF NOT EXISTS (SELECT 1 FROM accounts_user u WHERE u.id = NEW.decided_by_id AND u.is_active\n                                      AND u.username <> NEW.proposed_by) THEN\n                        RAISE EXCEPTION 'a second person decides about a held change';\n                    END IF;\n                    IF EXISTS (SELECT 1 FROM people_person p JOIN accounts_user u ON lower(u.email) = lower(p.email)\n                                WHERE u.id = NEW.decided_by_id\n                                  AND CASE NEW.what WHEN 'person' THEN p.id ELSE p.org_id END = NEW.key) THEN\n                        RAISE EXCEPTION 'nobody decides about a held change of their own';\n                    END IF;\n                    RETURN NEW;\n                ",
                    hash="1d1047b0e70c1b5228e1c08c698fe38457c90be5",
                    operation="INSERT",
                    pgid="pgtrigger_held_verdict_of_a_second_person_3c57a",
                    table="people_heldverdict",
                    when="BEFORE",
                ),
            ),
        ),
    ]
