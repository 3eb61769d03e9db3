# ruff: noqa: E501

import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Drafts of exceptions, files they rest on, and edits that make decisions void."""

    dependencies = [
        ("directives", "0004_writers_and_second_person"),
        ("people", "0002_no_circles"),
        ("waivers", "0003_separation_of_duties_whole"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ExceptionAttachment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("media_type", models.CharField(max_length=60)),
                ("size", models.PositiveIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("added_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="ExceptionDraft",
            fields=[
                ("key", models.UUIDField(primary_key=True, serialize=False)),
                ("asked_for", models.TextField(blank=True)),
                ("values", models.JSONField(default=dict)),
                ("attachments", models.JSONField(default=list)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("filed", "Filed"),
                            ("declined", "Not filed"),
                            ("taken_back", "Taken back"),
                        ],
                        default="draft",
                        max_length=10,
                    ),
                ),
                ("answer", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "ordering": ["-changed_at"],
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="exceptioncapability",
            name="exception_capabilities_fixed",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="exceptioncapability",
            name="exception_capability_keep",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="exceptionrequest",
            name="exception_begins_open",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="exceptionrequest",
            name="exception_fixed",
        ),
        migrations.AddField(
            model_name="exceptionrequest",
            name="revision",
            field=models.PositiveSmallIntegerField(default=1),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exceptioncapability",
            trigger=pgtrigger.compiler.Trigger(
                name="exception_capability_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF EXISTS (SELECT 1 FROM approvals_request a WHERE a.subject = 'exception:' || NEW.exceptionrequest_id)\n           AND NOT EXISTS (\n            SELECT 1 FROM approvals_request a JOIN waivers_exceptionrequest e ON a.subject = 'exception:' || e.id\n             WHERE e.id = NEW.exceptionrequest_id AND e.state = 'open' AND a.state = 'open'\n               AND a.revision = e.revision + 1 AND a.content_digest <> e.digest\n               AND NOT EXISTS (SELECT 1 FROM approvals_vote v WHERE v.request_id = a.id AND v.revision = a.revision)) THEN\n            RAISE EXCEPTION 'what an exception asks for changes only by an edit, which voids every decision';\n        END IF;\n        RETURN NEW;\n",
                    hash="3856530755e6770cc8f2fbcdedfca90df03a410a",
                    operation="INSERT",
                    pgid="pgtrigger_exception_capability_fixed_d9458",
                    table="waivers_exceptionrequest_model_capabilities",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exceptioncapability",
            trigger=pgtrigger.compiler.Trigger(
                name="exception_capability_kept",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF EXISTS (SELECT 1 FROM approvals_request a WHERE a.subject = 'exception:' || OLD.exceptionrequest_id)\n           AND NOT EXISTS (\n            SELECT 1 FROM approvals_request a JOIN waivers_exceptionrequest e ON a.subject = 'exception:' || e.id\n             WHERE e.id = OLD.exceptionrequest_id AND e.state = 'open' AND a.state = 'open'\n               AND a.revision = e.revision + 1 AND a.content_digest <> e.digest\n               AND NOT EXISTS (SELECT 1 FROM approvals_vote v WHERE v.request_id = a.id AND v.revision = a.revision)) THEN\n            RAISE EXCEPTION 'what an exception asks for changes only by an edit, which voids every decision';\n        END IF;\n        RETURN OLD;\n",
                    hash="210d8e6db47b86be36c60853fe50de5256924ba2",
                    operation="DELETE",
                    pgid="pgtrigger_exception_capability_kept_9c29e",
                    table="waivers_exceptionrequest_model_capabilities",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exceptioncapability",
            trigger=pgtrigger.compiler.Trigger(
                name="exception_capability_same",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="f5cc4992c6cb3c68300dd48a157fdd272e90c68e",
                    operation="UPDATE",
                    pgid="pgtrigger_exception_capability_same_fbb94",
                    table="waivers_exceptionrequest_model_capabilities",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exceptionrequest",
            trigger=pgtrigger.compiler.Trigger(
                name="exception_begins_open",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.state <> 'open' OR NEW.revision <> 1)",
                    func="RAISE EXCEPTION 'an exception begins open';",
                    hash="5d3653dfb45ec7edabb7c88b3739d1dd326b83e1",
                    operation="INSERT",
                    pgid="pgtrigger_exception_begins_open_175c2",
                    table="waivers_exceptionrequest",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exceptionrequest",
            trigger=pgtrigger.compiler.Trigger(
                name="exception_for_somebody_else",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF EXISTS (SELECT 1 FROM accounts_user u JOIN people_person p ON lower(p.email) = lower(u.email)\n                    WHERE u.id = NEW.filer_id AND p.id = NEW.person_id) THEN\n            RAISE EXCEPTION 'nobody files an exception for themselves';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="871579bffa175ce133fa50fc3c30bd5077d54b86",
                    operation="INSERT",
                    pgid="pgtrigger_exception_for_somebody_else_d4e52",
                    table="waivers_exceptionrequest",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exceptionrequest",
            trigger=pgtrigger.compiler.Trigger(
                name="exception_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE edited boolean;",
                    func="\n        IF (OLD.directive_id, OLD.version_id, OLD.person_id, OLD.filer_id, OLD.filed_at)\n           IS DISTINCT FROM (NEW.directive_id, NEW.version_id, NEW.person_id, NEW.filer_id, NEW.filed_at) THEN\n            RAISE EXCEPTION 'what an exception asks for does not change';\n        END IF;\n        edited := NEW.revision <> OLD.revision;\n        IF edited AND NOT (\n            OLD.state = 'open' AND NEW.state = 'open' AND NEW.revision = OLD.revision + 1 AND NEW.digest <> OLD.digest\n            AND EXISTS (SELECT 1 FROM approvals_request a\n                         WHERE a.subject = 'exception:' || NEW.id AND a.state = 'open' AND a.revision = NEW.revision\n                           AND a.content_digest = NEW.digest\n                           AND NOT EXISTS (SELECT 1 FROM approvals_vote v\n                                            WHERE v.request_id = a.id AND v.revision = a.revision))) THEN\n            RAISE EXCEPTION 'an exception is edited only while it is open, and every decision on it is void then';\n        END IF;\n        IF NOT edited AND (OLD.days, OLD.reason, OLD.mitigation, OLD.digest)\n           IS DISTINCT FROM (NEW.days, NEW.reason, NEW.mitigation, NEW.digest) THEN\n            RAISE EXCEPTION 'what an exception asks for changes only by an edit, which voids every decision';\n        END IF;\n        IF NEW.licence_id IS DISTINCT FROM OLD.licence_id AND NOT edited\n           AND NOT (OLD.licence_id IS NULL AND OLD.state = 'waiting' AND NEW.state = 'approved') THEN\n            RAISE EXCEPTION 'the licence of an exception changes only when it opens after waiting for one';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="234ea5343d31f9eafb5f344faa4fd337492e78f6",
                    operation="UPDATE",
                    pgid="pgtrigger_exception_fixed_dfc7a",
                    table="waivers_exceptionrequest",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddField(
            model_name="exceptionattachment",
            name="request",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="attachments", to="waivers.exceptionrequest"
            ),
        ),
        migrations.AddField(
            model_name="exceptiondraft",
            name="asked_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="exceptions_asked_for",
                to="people.person",
            ),
        ),
        migrations.AddField(
            model_name="exceptiondraft",
            name="author",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="exceptiondraft",
            name="directive",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="directives.directive"
            ),
        ),
        migrations.AddField(
            model_name="exceptiondraft",
            name="exception",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="drafts",
                to="waivers.exceptionrequest",
            ),
        ),
        migrations.AddConstraint(
            model_name="exceptionattachment",
            constraint=models.UniqueConstraint(fields=("request", "sha256"), name="attachment_once"),
        ),
        migrations.AddConstraint(
            model_name="exceptionattachment",
            constraint=models.CheckConstraint(
                condition=models.Q(("sha256__regex", "^[0-9a-f]{64}$")), name="attachment_sha256"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exceptionattachment",
            trigger=pgtrigger.compiler.Trigger(
                name="exception_attachment_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF EXISTS (SELECT 1 FROM approvals_request a WHERE a.subject = 'exception:' || NEW.request_id)\n           AND NOT EXISTS (\n            SELECT 1 FROM approvals_request a JOIN waivers_exceptionrequest e ON a.subject = 'exception:' || e.id\n             WHERE e.id = NEW.request_id AND e.state = 'open' AND a.state = 'open'\n               AND a.revision = e.revision + 1 AND a.content_digest <> e.digest\n               AND NOT EXISTS (SELECT 1 FROM approvals_vote v WHERE v.request_id = a.id AND v.revision = a.revision)) THEN\n            RAISE EXCEPTION 'what an exception asks for changes only by an edit, which voids every decision';\n        END IF;\n        RETURN NEW;\n",
                    hash="5bea9bfe6118cca0b61d8b483bd074fdd65af320",
                    operation="INSERT",
                    pgid="pgtrigger_exception_attachment_fixed_e388f",
                    table="waivers_exceptionattachment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exceptionattachment",
            trigger=pgtrigger.compiler.Trigger(
                name="exception_attachment_kept",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF EXISTS (SELECT 1 FROM approvals_request a WHERE a.subject = 'exception:' || OLD.request_id)\n           AND NOT EXISTS (\n            SELECT 1 FROM approvals_request a JOIN waivers_exceptionrequest e ON a.subject = 'exception:' || e.id\n             WHERE e.id = OLD.request_id AND e.state = 'open' AND a.state = 'open'\n               AND a.revision = e.revision + 1 AND a.content_digest <> e.digest\n               AND NOT EXISTS (SELECT 1 FROM approvals_vote v WHERE v.request_id = a.id AND v.revision = a.revision)) THEN\n            RAISE EXCEPTION 'what an exception asks for changes only by an edit, which voids every decision';\n        END IF;\n        RETURN OLD;\n",
                    hash="6d4d347066c8cde8ad807a9f66ca1461b681c13c",
                    operation="DELETE",
                    pgid="pgtrigger_exception_attachment_kept_b2295",
                    table="waivers_exceptionattachment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exceptionattachment",
            trigger=pgtrigger.compiler.Trigger(
                name="exception_attachment_same",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="5bb33acfff753b6de3e51aeba9361b611c4382c6",
                    operation="UPDATE",
                    pgid="pgtrigger_exception_attachment_same_916db",
                    table="waivers_exceptionattachment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exceptionattachment",
            trigger=pgtrigger.compiler.Trigger(
                name="exception_attachment_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'exceptions, waivers, licences and grants are kept';",
                    hash="575569bc40c9f30fc7487103c633309634eb448a",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_exception_attachment_no_truncate_bd237",
                    table="waivers_exceptionattachment",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="exceptiondraft",
            index=models.Index(fields=["author", "-changed_at"], name="draft_author"),
        ),
        migrations.AddIndex(
            model_name="exceptiondraft",
            index=models.Index(fields=["asked_by", "-created_at"], name="draft_asked_by"),
        ),
        migrations.AddConstraint(
            model_name="exceptiondraft",
            constraint=models.CheckConstraint(
                condition=models.Q(("author__isnull", False), ("asked_by__isnull", False), _connector="OR"),
                name="draft_of_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="exceptiondraft",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("exception__isnull", False), ("state", "filed")),
                    models.Q(models.Q(("state", "filed"), _negated=True), ("exception__isnull", True)),
                    _connector="OR",
                ),
                name="draft_filed_as",
            ),
        ),
        migrations.AddConstraint(
            model_name="exceptiondraft",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "draft")), fields=("asked_by", "directive"), name="draft_asked_for_once"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exceptiondraft",
            trigger=pgtrigger.compiler.Trigger(
                name="draft_for_somebody_else",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.author_id IS NOT NULL AND NEW.asked_by_id IS NOT NULL)",
                    func="\n        IF EXISTS (SELECT 1 FROM accounts_user u JOIN people_person p ON lower(p.email) = lower(u.email)\n                    WHERE u.id = NEW.author_id AND p.id = NEW.asked_by_id) THEN\n            RAISE EXCEPTION 'nobody completes what they asked for themselves';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="36a25ec9ee90cf5ca187df41720577b15301d2cb",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_draft_for_somebody_else_7c7af",
                    table="waivers_exceptiondraft",
                    when="BEFORE",
                ),
            ),
        ),
    ]
