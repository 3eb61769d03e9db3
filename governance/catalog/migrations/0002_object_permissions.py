"""Stewards of one model."""
# ruff: noqa: E501 (the trigger functions stand as they were generated)

import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("catalog", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="aimodel",
            options={"permissions": (("steward_model", "Steward of the model"),), "verbose_name": "AI model"},
        ),
        migrations.CreateModel(
            name="AIModelUserPermission",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("given_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "content_object",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="catalog.aimodel"),
                ),
                (
                    "given_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("permission", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="auth.permission")),
                ("user", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="AIModelGroupPermission",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("given_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "content_object",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="catalog.aimodel"),
                ),
                (
                    "given_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("group", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="auth.group")),
                ("permission", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="auth.permission")),
            ],
            options={
                "abstract": False,
                "unique_together": {("group", "permission", "content_object")},
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="aimodelgrouppermission",
            trigger=pgtrigger.compiler.Trigger(
                name="of_its_object",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                IF TG_OP = 'UPDATE' THEN\n                    RAISE EXCEPTION 'a permission is given or taken, not changed';\n                END IF;\n                IF NOT EXISTS (SELECT 1 FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id\n                                WHERE p.id = NEW.permission_id AND t.app_label = 'catalog' AND t.model = 'aimodel'\n                                  AND p.codename IN ('steward_model')) THEN\n                    RAISE EXCEPTION 'there is no such permission on this kind of object';\n                END IF;\n                RETURN NEW;\n            ",
                    hash="afdc7ec47375adfc0d357a2b4ef0a419476e4b62",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_of_its_object_e9adf",
                    table="catalog_aimodelgrouppermission",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="aimodelgrouppermission",
            trigger=pgtrigger.compiler.Trigger(
                name="not_to_ones_own_role",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.given_by_id IS NOT NULL)",
                    func="\n        IF EXISTS (SELECT 1 FROM accounts_user_groups g\n                    WHERE g.user_id = NEW.given_by_id AND g.group_id = NEW.group_id) THEN\n            RAISE EXCEPTION 'nobody gives a permission to a role of their own';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="a720313f1b1b3673ac19cf59a30ae13854982189",
                    operation="INSERT",
                    pgid="pgtrigger_not_to_ones_own_role_8ab0e",
                    table="catalog_aimodelgrouppermission",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="aimodeluserpermission",
            constraint=models.CheckConstraint(
                condition=models.Q(("user", models.F("given_by")), _negated=True),
                name="aimodeluserpermission_not_to_oneself",
            ),
        ),
        migrations.AlterUniqueTogether(
            name="aimodeluserpermission",
            unique_together={("user", "permission", "content_object")},
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="aimodeluserpermission",
            trigger=pgtrigger.compiler.Trigger(
                name="of_its_object",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                IF TG_OP = 'UPDATE' THEN\n                    RAISE EXCEPTION 'a permission is given or taken, not changed';\n                END IF;\n                IF NOT EXISTS (SELECT 1 FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id\n                                WHERE p.id = NEW.permission_id AND t.app_label = 'catalog' AND t.model = 'aimodel'\n                                  AND p.codename IN ('steward_model')) THEN\n                    RAISE EXCEPTION 'there is no such permission on this kind of object';\n                END IF;\n                RETURN NEW;\n            ",
                    hash="052374ec649c45403992431499486969d1448d55",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_of_its_object_4f27e",
                    table="catalog_aimodeluserpermission",
                    when="BEFORE",
                ),
            ),
        ),
    ]
