"""Parallel stages, rights and relations, clocks, revisions, delegation and talk: the approvals engine in full."""
# ruff: noqa: E501 (the trigger functions stand as they were generated)

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.comparison
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0003_only_by_votes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Comment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("comment", "Comment"), ("question", "Question"), ("answer", "Answer")],
                        default="comment",
                        max_length=10,
                    ),
                ),
                ("text", models.TextField()),
                ("at", models.DateTimeField()),
                ("stopped_for", models.DurationField(blank=True, null=True)),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="Delegation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("reason", models.CharField(max_length=200)),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="StageApprover",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("path", models.CharField(max_length=300)),
                ("named_at", models.DateTimeField()),
            ],
        ),
        migrations.AlterModelOptions(
            name="policystage",
            options={"ordering": ["position", "name"]},
        ),
        migrations.AlterModelOptions(
            name="requeststage",
            options={"ordering": ["request", "revision", "position", "name"]},
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="request",
            name="request_fixed",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="request",
            name="request_begins",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="request",
            name="request_all_stages",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="requeststage",
            name="request_stage_states",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="requeststage",
            name="request_stage_quorum",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="requeststage",
            name="request_stage_begins",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="vote",
            name="vote_separation_of_duties",
        ),
        migrations.RemoveConstraint(
            model_name="policystage",
            name="policy_stage_position",
        ),
        migrations.RemoveConstraint(
            model_name="requeststage",
            name="request_stage_position",
        ),
        migrations.RemoveConstraint(
            model_name="requeststage",
            name="request_stage_one_open",
        ),
        migrations.RemoveConstraint(
            model_name="vote",
            name="vote_once_in_a_request",
        ),
        migrations.AddField(
            model_name="approvalpolicy",
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
            model_name="approvalpolicy",
            name="note",
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AddField(
            model_name="approvalpolicy",
            name="written_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="policystage",
            name="at_end",
            field=models.CharField(
                choices=[
                    ("wait", "Goes on waiting"),
                    ("escalate", "Others may decide, too"),
                    ("refuse", "The request is refused"),
                ],
                default="wait",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="policystage",
            name="business_hours",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="policystage",
            name="effects",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=10), blank=True, default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="policystage",
            name="escalate_to",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=80), blank=True, default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="policystage",
            name="fallback",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=80), blank=True, default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="policystage",
            name="more_than_people",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="policystage",
            name="permission",
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name="policystage",
            name="relations",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40), blank=True, default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="policystage",
            name="remind_hours",
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="request",
            name="days",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="request",
            name="revision",
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="request",
            name="stopped_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="request",
            name="tier",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="requeststage",
            name="at_end",
            field=models.CharField(
                choices=[
                    ("wait", "Goes on waiting"),
                    ("escalate", "Others may decide, too"),
                    ("refuse", "The request is refused"),
                ],
                default="wait",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="requeststage",
            name="business_hours",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="requeststage",
            name="due_hours",
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="requeststage",
            name="escalate_to",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=80), blank=True, default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="requeststage",
            name="escalated_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="requeststage",
            name="opened_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="requeststage",
            name="permission",
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name="requeststage",
            name="remind_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="requeststage",
            name="remind_hours",
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="requeststage",
            name="reminded_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="requeststage",
            name="revision",
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="vote",
            name="on_behalf_of",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="vote",
            name="revision",
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AlterField(
            model_name="policystage",
            name="groups",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=80), blank=True, default=list, size=None
            ),
        ),
        migrations.AlterField(
            model_name="policystage",
            name="policy",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="stages", to="approvals.approvalpolicy"
            ),
        ),
        migrations.AlterField(
            model_name="requeststage",
            name="groups",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=80), blank=True, default=list, size=None
            ),
        ),
        migrations.AddIndex(
            model_name="requeststage",
            index=models.Index(condition=models.Q(("state", "open")), fields=["request"], name="request_stage_open"),
        ),
        migrations.AddIndex(
            model_name="requeststage",
            index=models.Index(condition=models.Q(("state", "open")), fields=["due_at"], name="request_stage_due"),
        ),
        migrations.AddIndex(
            model_name="vote",
            index=models.Index(fields=["approver", "-id"], name="vote_approver"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="approvalpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="policy_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF (OLD.kind, OLD.version) IS DISTINCT FROM (NEW.kind, NEW.version) THEN\n            RAISE EXCEPTION 'a policy that was written does not change; write another version';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="4ac49b1f6c6524c354ac93e8ddcb797d57b1bae5",
                    operation="UPDATE",
                    pgid="pgtrigger_policy_fixed_89a80",
                    table="approvals_approvalpolicy",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="approvalpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="policy_keep",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="f43a003b30928ee8ccc7e1b9821c1b44293be813",
                    operation="DELETE",
                    pgid="pgtrigger_policy_keep_049db",
                    table="approvals_approvalpolicy",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="policystage",
            trigger=pgtrigger.compiler.Trigger(
                name="policy_stage_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF TG_OP <> 'INSERT' OR EXISTS (SELECT 1 FROM approvals_request r WHERE r.policy_id = NEW.policy_id)\n           OR (SELECT p.active FROM approvals_approvalpolicy p WHERE p.id = NEW.policy_id) THEN\n            RAISE EXCEPTION 'the stages of a policy do not change; write another version';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="e74185433af2421c39a477523a41db8f7094a2ab",
                    operation="INSERT OR UPDATE OR DELETE",
                    pgid="pgtrigger_policy_stage_fixed_2c25e",
                    table="approvals_policystage",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="request",
            trigger=pgtrigger.compiler.Trigger(
                name="request_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF (OLD.kind, OLD.subject, OLD.requester_id, OLD.policy_id, OLD.opened_at)\n           IS DISTINCT FROM (NEW.kind, NEW.subject, NEW.requester_id, NEW.policy_id, NEW.opened_at) THEN\n            RAISE EXCEPTION 'what was asked for does not change';\n        END IF;\n        IF (OLD.content_digest, OLD.revision) IS DISTINCT FROM (NEW.content_digest, NEW.revision)\n           AND NOT (OLD.state = 'open' AND NEW.state = 'open' AND NEW.revision = OLD.revision + 1) THEN\n            RAISE EXCEPTION 'what was asked for changes only as a new revision, which voids every decision';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="69977196eb164a0a0715f60a8e88579c037221cf",
                    operation="UPDATE",
                    pgid="pgtrigger_request_fixed_7a014",
                    table="approvals_request",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="request",
            trigger=pgtrigger.compiler.Trigger(
                name="request_begins",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.state <> 'open' OR NEW.revision <> 1)",
                    func="RAISE EXCEPTION 'a request begins open';",
                    hash="dd432acf6d00d639d5a403df1b9fa7688db8d29b",
                    operation="INSERT",
                    pgid="pgtrigger_request_begins_74ce0",
                    table="approvals_request",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="request",
            trigger=pgtrigger.compiler.Trigger(
                name="request_all_stages",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.state <> 'approved' AND NEW.state = 'approved')",
                    func="\n        IF NOT coalesce((SELECT bool_and(s.state = 'approved' AND approvals_counting(s.id) >= s.quorum)\n                           FROM approvals_requeststage s\n                          WHERE s.request_id = NEW.id AND s.revision = NEW.revision), FALSE) THEN\n            RAISE EXCEPTION 'a request is approved when all of its stages are';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="a88f352057b071d1d31ae4742c494c1798aa9f8d",
                    operation="UPDATE",
                    pgid="pgtrigger_request_all_stages_e3238",
                    table="approvals_request",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="requeststage",
            trigger=pgtrigger.compiler.Trigger(
                name="request_stage_states",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE _is_valid_transition BOOLEAN;",
                    func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{approved:open,open:approved,open:closed,open:rejected,open:waiting,waiting:closed,waiting:open}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                    hash="94c8690b8ac4b7879427156210cc403073cc9372",
                    operation="UPDATE",
                    pgid="pgtrigger_request_stage_states_1ee19",
                    table="approvals_requeststage",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="requeststage",
            trigger=pgtrigger.compiler.Trigger(
                name="request_stage_quorum",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF (OLD.request_id, OLD.revision, OLD.position, OLD.groups, OLD.permission, OLD.quorum, OLD.escalate_to, OLD.at_end)\n           IS DISTINCT FROM (NEW.request_id, NEW.revision, NEW.position, NEW.groups, NEW.permission, NEW.quorum,\n                             NEW.escalate_to, NEW.at_end) OR NEW.due_at < OLD.due_at THEN\n            RAISE EXCEPTION 'a stage does not change once it was resolved, but for more time';\n        END IF;\n        IF NEW.escalated_at IS DISTINCT FROM OLD.escalated_at AND (OLD.escalated_at IS NOT NULL\n           OR OLD.at_end <> 'escalate' OR OLD.due_at IS NULL OR NEW.escalated_at < OLD.due_at) THEN\n            RAISE EXCEPTION 'a stage escalates once, when it is overdue';\n        END IF;\n        IF NEW.state = 'approved' AND OLD.state <> 'approved' AND NEW.quorum > approvals_counting(NEW.id) THEN\n            RAISE EXCEPTION 'a stage needs its quorum of votes';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="f01a541e534bb9e4f77109aa70118600206e0975",
                    operation="UPDATE",
                    pgid="pgtrigger_request_stage_quorum_c2fdd",
                    table="approvals_requeststage",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="requeststage",
            trigger=pgtrigger.compiler.Trigger(
                name="request_stage_begins",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF NEW.state NOT IN ('waiting', 'open') OR NEW.quorum < 1 OR NEW.escalated_at IS NOT NULL OR NOT EXISTS (\n            SELECT 1 FROM approvals_request r\n             WHERE r.id = NEW.request_id AND r.state = 'open' AND r.revision = NEW.revision) THEN\n            RAISE EXCEPTION 'a stage begins undecided, in an open request';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="0e2865cda6ccf4a8d1fe77bf414bfb1c8df91ac9",
                    operation="INSERT",
                    pgid="pgtrigger_request_stage_begins_98e09",
                    table="approvals_requeststage",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="vote",
            trigger=pgtrigger.compiler.Trigger(
                name="vote_separation_of_duties",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE asked approvals_request%ROWTYPE; stage approvals_requeststage%ROWTYPE; principal bigint;",
                    func="\n        SELECT * INTO asked FROM approvals_request WHERE id = NEW.request_id FOR UPDATE;\n        SELECT * INTO stage FROM approvals_requeststage WHERE id = NEW.stage_id;\n        principal := coalesce(NEW.on_behalf_of_id, NEW.approver_id);\n        IF asked.state <> 'open' OR stage.request_id <> asked.id OR stage.state <> 'open'\n           OR stage.revision <> asked.revision THEN\n            RAISE EXCEPTION 'a vote counts only in an open stage of an open request';\n        END IF;\n        IF NEW.content_digest <> asked.content_digest OR NEW.revision <> asked.revision THEN\n            RAISE EXCEPTION 'a vote is bound to the content that was asked about';\n        END IF;\n        IF NEW.approver_id = asked.requester_id THEN\n            RAISE EXCEPTION 'nobody decides what they asked for';\n        END IF;\n        IF approvals_in_conflict(NEW.approver_id, asked.id) OR approvals_in_conflict(principal, asked.id) THEN\n            RAISE EXCEPTION 'nobody decides with a conflict, nor for somebody with one';\n        END IF;\n        IF EXISTS (SELECT 1 FROM approvals_vote v WHERE v.request_id = asked.id AND v.revision = asked.revision\n                      AND (v.approver_id IN (NEW.approver_id, principal)\n                           OR v.on_behalf_of_id IN (NEW.approver_id, principal))) THEN\n            RAISE EXCEPTION 'nobody decides twice in a request, not even through somebody else';\n        END IF;\n        IF NEW.on_behalf_of_id IS NOT NULL AND NOT EXISTS (\n            SELECT 1 FROM approvals_delegation d JOIN accounts_user u ON u.id = d.delegate_id AND u.is_active\n             WHERE d.principal_id = NEW.on_behalf_of_id AND d.delegate_id = NEW.approver_id AND d.revoked_at IS NULL\n               AND d.starts_at <= statement_timestamp() AND d.ends_at > statement_timestamp()) THEN\n            RAISE EXCEPTION 'nobody decides for somebody else without a delegation that runs';\n        END IF;\n        IF NOT approvals_has_right(principal, stage.id) THEN\n            RAISE EXCEPTION 'a vote counts only from an active account that may decide this stage';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="35a2f0d9c665e58391729ba86a3014c49011c793",
                    operation="INSERT",
                    pgid="pgtrigger_vote_separation_of_duties_2b694",
                    table="approvals_vote",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="policystage",
            constraint=models.UniqueConstraint(fields=("policy", "position", "name"), name="policy_stage_position"),
        ),
        migrations.AddConstraint(
            model_name="policystage",
            constraint=models.CheckConstraint(condition=models.Q(("quorum__gte", 1)), name="policy_stage_quorum"),
        ),
        migrations.AddConstraint(
            model_name="policystage",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("groups", []), _negated=True),
                    models.Q(("permission", ""), _negated=True),
                    models.Q(("relations", []), _negated=True),
                    _connector="OR",
                ),
                name="policy_stage_has_approvers",
            ),
        ),
        migrations.AddConstraint(
            model_name="policystage",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("at_end", "escalate"), _negated=True),
                    models.Q(models.Q(("escalate_to", []), _negated=True), ("due_hours__isnull", False)),
                    _connector="OR",
                ),
                name="policy_stage_end",
            ),
        ),
        migrations.AddConstraint(
            model_name="requeststage",
            constraint=models.UniqueConstraint(
                fields=("request", "revision", "position", "name"), name="request_stage_position"
            ),
        ),
        migrations.AddConstraint(
            model_name="vote",
            constraint=models.UniqueConstraint(
                fields=("request", "revision", "approver"), name="vote_once_in_a_request"
            ),
        ),
        migrations.AddConstraint(
            model_name="vote",
            constraint=models.UniqueConstraint(
                models.F("request"),
                models.F("revision"),
                django.db.models.functions.comparison.Coalesce("on_behalf_of", "approver"),
                name="vote_once_for_whom_it_counts",
            ),
        ),
        migrations.AddField(
            model_name="comment",
            name="answers",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="answer",
                to="approvals.comment",
            ),
        ),
        migrations.AddField(
            model_name="comment",
            name="author",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="comment",
            name="request",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="comments", to="approvals.request"
            ),
        ),
        migrations.AddField(
            model_name="delegation",
            name="delegate",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="delegations_held",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="delegation",
            name="principal",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="delegations_given",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="stageapprover",
            name="stage",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="named", to="approvals.requeststage"
            ),
        ),
        migrations.AddField(
            model_name="stageapprover",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddIndex(
            model_name="comment",
            index=models.Index(fields=["request", "id"], name="comment_request"),
        ),
        migrations.AddConstraint(
            model_name="comment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("answers__isnull", False), ("kind", "answer")),
                    models.Q(models.Q(("kind", "answer"), _negated=True), ("answers", None)),
                    _connector="OR",
                ),
                name="comment_answers",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="comment",
            trigger=pgtrigger.compiler.Trigger(
                name="comment_keep",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="3f06294179a5f7c279a267815a9bc8e63084ede6",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_comment_keep_14173",
                    table="approvals_comment",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="comment",
            trigger=pgtrigger.compiler.Trigger(
                name="comment_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'approvals are kept';",
                    hash="bd48e10c0f438cc03bb7096fef915766d6a2355e",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_comment_no_truncate_30afd",
                    table="approvals_comment",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="delegation",
            index=models.Index(fields=["delegate", "ends_at"], name="delegation_held"),
        ),
        migrations.AddConstraint(
            model_name="delegation",
            constraint=models.CheckConstraint(
                condition=models.Q(("principal", models.F("delegate")), _negated=True), name="delegation_to_another"
            ),
        ),
        migrations.AddConstraint(
            model_name="delegation",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="delegation_dates"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="delegation",
            trigger=pgtrigger.compiler.Trigger(
                name="delegation_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL OR\n           (OLD.principal_id, OLD.delegate_id, OLD.starts_at, OLD.ends_at, OLD.reason)\n           IS DISTINCT FROM (NEW.principal_id, NEW.delegate_id, NEW.starts_at, NEW.ends_at, NEW.reason) THEN\n            RAISE EXCEPTION 'a delegation can only be revoked, once';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="a7dba09ac4b4b020b580f643a19a3753c3d1c9a1",
                    operation="UPDATE",
                    pgid="pgtrigger_delegation_fixed_03d87",
                    table="approvals_delegation",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="delegation",
            trigger=pgtrigger.compiler.Trigger(
                name="delegation_keep",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="572aaaae9be06da84670b176f070ec81fe1b1f46",
                    operation="DELETE",
                    pgid="pgtrigger_delegation_keep_2c115",
                    table="approvals_delegation",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="delegation",
            trigger=pgtrigger.compiler.Trigger(
                name="delegation_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'approvals are kept';",
                    hash="7cf32c7fa7316e403502ce5e4eedd03b80c291a8",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_delegation_no_truncate_a9fdb",
                    table="approvals_delegation",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="stageapprover",
            constraint=models.UniqueConstraint(fields=("stage", "user"), name="stage_approver_once"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="stageapprover",
            trigger=pgtrigger.compiler.Trigger(
                name="stage_approver_open",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF NOT EXISTS (SELECT 1 FROM approvals_requeststage s JOIN approvals_request r ON r.id = s.request_id\n                        WHERE s.id = NEW.stage_id AND s.state IN ('waiting', 'open') AND r.state = 'open')\n           OR approvals_in_conflict(NEW.user_id, (SELECT s.request_id FROM approvals_requeststage s\n                                                   WHERE s.id = NEW.stage_id)) THEN\n            RAISE EXCEPTION 'somebody is named for an undecided stage, and never with a conflict';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="289725fa3591ea65ddff2ec207c7bd747b494d47",
                    operation="INSERT",
                    pgid="pgtrigger_stage_approver_open_c5043",
                    table="approvals_stageapprover",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="stageapprover",
            trigger=pgtrigger.compiler.Trigger(
                name="stage_approver_keep",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="f9f0d34434b24d1379adadf03c4adbf61359e0cf",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_stage_approver_keep_3e994",
                    table="approvals_stageapprover",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="stageapprover",
            trigger=pgtrigger.compiler.Trigger(
                name="stage_approver_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'approvals are kept';",
                    hash="59c0c090d3abb1b686b14d860ad398af410b8526",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_stage_approver_no_truncate_46d9b",
                    table="approvals_stageapprover",
                    when="BEFORE",
                ),
            ),
        ),
    ]
