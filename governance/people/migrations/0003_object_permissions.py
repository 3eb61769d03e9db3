"""Owners of one organisation."""
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
        ("people", "0002_no_circles"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="organisation",
            options={"permissions": (("own_organisation", "Owner of the organisation"),)},
        ),
        migrations.CreateModel(
            name="OrganisationUserPermission",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("given_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "content_object",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="people.organisation"),
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
            name="OrganisationGroupPermission",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("given_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "content_object",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="people.organisation"),
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
            model_name="organisationgrouppermission",
            trigger=pgtrigger.compiler.Trigger(
                name="of_its_object",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                IF TG_OP = 'UPDATE' THEN\n                    RAISE EXCEPTION 'a permission is given or taken, not changed';\n                END IF;\n                IF NOT EXISTS (SELECT 1 FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id\n                                WHERE p.id = NEW.permission_id AND t.app_label = 'people' AND t.model = 'organisation'\n                                  AND p.codename IN ('own_organisation')) THEN\n                    RAISE EXCEPTION 'there is no such permission on this kind of object';\n                END IF;\n                RETURN NEW;\n            ",
                    hash="af8a8ce5c6ec5e6e8e3b12148e5bfc5588a10e87",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_of_its_object_98b1a",
                    table="people_organisationgrouppermission",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organisationgrouppermission",
            trigger=pgtrigger.compiler.Trigger(
                name="not_to_ones_own_role",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.given_by_id IS NOT NULL)",
                    func="\n        IF EXISTS (SELECT 1 FROM accounts_user_groups g\n                    WHERE g.user_id = NEW.given_by_id AND g.group_id = NEW.group_id) THEN\n            RAISE EXCEPTION 'nobody gives a permission to a role of their own';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="caa3456837fab38067dacab3c87169d6a36da45d",
                    operation="INSERT",
                    pgid="pgtrigger_not_to_ones_own_role_ab7a5",
                    table="people_organisationgrouppermission",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="organisationuserpermission",
            constraint=models.CheckConstraint(
                condition=models.Q(("user", models.F("given_by")), _negated=True),
                name="organisationuserpermission_not_to_oneself",
            ),
        ),
        migrations.AlterUniqueTogether(
            name="organisationuserpermission",
            unique_together={("user", "permission", "content_object")},
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organisationuserpermission",
            trigger=pgtrigger.compiler.Trigger(
                name="of_its_object",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                IF TG_OP = 'UPDATE' THEN\n                    RAISE EXCEPTION 'a permission is given or taken, not changed';\n                END IF;\n                IF NOT EXISTS (SELECT 1 FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id\n                                WHERE p.id = NEW.permission_id AND t.app_label = 'people' AND t.model = 'organisation'\n                                  AND p.codename IN ('own_organisation')) THEN\n                    RAISE EXCEPTION 'there is no such permission on this kind of object';\n                END IF;\n                RETURN NEW;\n            ",
                    hash="140960846abee2f2429f6d548c10a2adc4fad410",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_of_its_object_cefb9",
                    table="people_organisationuserpermission",
                    when="BEFORE",
                ),
            ),
        ),
    ]
