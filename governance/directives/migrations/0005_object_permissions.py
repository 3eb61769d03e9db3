"""Counsel and reviewers of one case."""
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
        ("directives", "0004_writers_and_second_person"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="directive",
            options={"permissions": (("counsel_case", "Counsel of the case"), ("review_case", "Reviewer of the case"))},
        ),
        migrations.CreateModel(
            name="DirectiveUserPermission",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("given_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "content_object",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="directives.directive"),
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
            name="DirectiveGroupPermission",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("given_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "content_object",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="directives.directive"),
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
            model_name="directivegrouppermission",
            trigger=pgtrigger.compiler.Trigger(
                name="of_its_object",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                IF TG_OP = 'UPDATE' THEN\n                    RAISE EXCEPTION 'a permission is given or taken, not changed';\n                END IF;\n                IF NOT EXISTS (SELECT 1 FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id\n                                WHERE p.id = NEW.permission_id AND t.app_label = 'directives' AND t.model = 'directive'\n                                  AND p.codename IN ('counsel_case', 'review_case')) THEN\n                    RAISE EXCEPTION 'there is no such permission on this kind of object';\n                END IF;\n                RETURN NEW;\n            ",
                    hash="f114fdd8122fcb3e94f15aed576137df5321f511",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_of_its_object_cc2f2",
                    table="directives_directivegrouppermission",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="directivegrouppermission",
            trigger=pgtrigger.compiler.Trigger(
                name="not_to_ones_own_role",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.given_by_id IS NOT NULL)",
                    func="\n        IF EXISTS (SELECT 1 FROM accounts_user_groups g\n                    WHERE g.user_id = NEW.given_by_id AND g.group_id = NEW.group_id) THEN\n            RAISE EXCEPTION 'nobody gives a permission to a role of their own';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="953e36d8ea8ebeb3dbdee83210c77aaba38ffbe2",
                    operation="INSERT",
                    pgid="pgtrigger_not_to_ones_own_role_37ab5",
                    table="directives_directivegrouppermission",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="directiveuserpermission",
            constraint=models.CheckConstraint(
                condition=models.Q(("user", models.F("given_by")), _negated=True),
                name="directiveuserpermission_not_to_oneself",
            ),
        ),
        migrations.AlterUniqueTogether(
            name="directiveuserpermission",
            unique_together={("user", "permission", "content_object")},
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="directiveuserpermission",
            trigger=pgtrigger.compiler.Trigger(
                name="of_its_object",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                IF TG_OP = 'UPDATE' THEN\n                    RAISE EXCEPTION 'a permission is given or taken, not changed';\n                END IF;\n                IF NOT EXISTS (SELECT 1 FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id\n                                WHERE p.id = NEW.permission_id AND t.app_label = 'directives' AND t.model = 'directive'\n                                  AND p.codename IN ('counsel_case', 'review_case')) THEN\n                    RAISE EXCEPTION 'there is no such permission on this kind of object';\n                END IF;\n                RETURN NEW;\n            ",
                    hash="fddcf910a74e797e456bab7173f88e730739d538",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_of_its_object_3e4ea",
                    table="directives_directiveuserpermission",
                    when="BEFORE",
                ),
            ),
        ),
    ]
