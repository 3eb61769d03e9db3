"""Waivers have conditions that the person accepts, end early, are renewed, and two people may break the glass."""
# ruff: noqa: E501 (the trigger functions stand as they were generated)

import django.contrib.postgres.fields
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("directives", "0006_shorten_waivers"),
        ("people", "0004_held_verdicts"),
        ("waivers", "0004_drafts_and_edits"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Acceptance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=64)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="BreakGlass",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "model_capability_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                ("hours", models.PositiveSmallIntegerField()),
                ("reason", models.TextField()),
                ("digest", models.CharField(max_length=64)),
                ("opened_via", models.CharField(blank=True, max_length=150)),
                ("opened_at", models.DateTimeField()),
                ("confirmed_via", models.CharField(blank=True, max_length=150)),
                ("confirmed_at", models.DateTimeField(blank=True, null=True)),
                ("review_due", models.DateTimeField(blank=True, null=True)),
                ("reviewed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "verdict",
                    models.CharField(
                        blank=True,
                        choices=[("needed", "It was needed"), ("not_needed", "It should not have been opened")],
                        max_length=10,
                    ),
                ),
                ("review", models.TextField(blank=True)),
                ("overdue_told_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Condition",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("revision", models.PositiveSmallIntegerField()),
                ("text", models.TextField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="exceptionrequest",
            name="exception_states",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="exceptionrequest",
            name="exception_approved",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="exceptionrequest",
            name="exception_fixed",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="waiver",
            name="waiver_fixed",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="waiver",
            name="waiver_of_its_request",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="waivercapability",
            name="waiver_capability_was_asked_for",
        ),
        migrations.AddField(
            model_name="exceptionrequest",
            name="conditions",
            field=models.TextField(blank=True, default=""),
        ),
        migrations.AddField(
            model_name="exceptionrequest",
            name="conditions_digest",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.AddField(
            model_name="exceptionrequest",
            name="renews",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="renewals",
                to="waivers.waiver",
            ),
        ),
        migrations.AddField(
            model_name="waiver",
            name="ended_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="waiver",
            name="reminded_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="exceptionrequest",
            name="state",
            field=models.CharField(
                choices=[
                    ("open", "Waiting for approval"),
                    ("approved", "Approved"),
                    ("waiting", "Approved, waiting for a licence"),
                    ("accepting", "Approved, waiting to be accepted"),
                    ("rejected", "Rejected"),
                    ("withdrawn", "Withdrawn"),
                    ("lapsed", "No longer fits the directive"),
                ],
                default="open",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="waiver",
            name="request",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="waiver",
                to="waivers.exceptionrequest",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exceptionrequest",
            trigger=pgtrigger.compiler.Trigger(
                name="exception_states",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE _is_valid_transition BOOLEAN;",
                    func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{accepting:approved,accepting:lapsed,accepting:withdrawn,open:accepting,open:approved,open:lapsed,open:rejected,open:waiting,open:withdrawn,waiting:accepting,waiting:approved,waiting:lapsed,waiting:withdrawn}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                    hash="96d76169446ba93115aa619704f9546ead889e70",
                    operation="UPDATE",
                    pgid="pgtrigger_exception_states_bccbb",
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
                    func="\n        IF (OLD.directive_id, OLD.version_id, OLD.person_id, OLD.filer_id, OLD.filed_at, OLD.renews_id)\n           IS DISTINCT FROM (NEW.directive_id, NEW.version_id, NEW.person_id, NEW.filer_id, NEW.filed_at,\n                             NEW.renews_id) THEN\n            RAISE EXCEPTION 'what an exception asks for does not change';\n        END IF;\n        edited := NEW.revision <> OLD.revision;\n        IF edited AND NOT (\n            OLD.state = 'open' AND NEW.state = 'open' AND NEW.revision = OLD.revision + 1 AND NEW.digest <> OLD.digest\n            AND EXISTS (SELECT 1 FROM approvals_request a\n                         WHERE a.subject = 'exception:' || NEW.id AND a.state = 'open' AND a.revision = NEW.revision\n                           AND a.content_digest = NEW.digest\n                           AND NOT EXISTS (SELECT 1 FROM approvals_vote v\n                                            WHERE v.request_id = a.id AND v.revision = a.revision))) THEN\n            RAISE EXCEPTION 'an exception is edited only while it is open, and every decision on it is void then';\n        END IF;\n        IF NOT edited AND (OLD.days, OLD.reason, OLD.mitigation, OLD.conditions, OLD.digest)\n           IS DISTINCT FROM (NEW.days, NEW.reason, NEW.mitigation, NEW.conditions, NEW.digest) THEN\n            RAISE EXCEPTION 'what an exception asks for changes only by an edit, which voids every decision';\n        END IF;\n        IF NEW.licence_id IS DISTINCT FROM OLD.licence_id AND NOT edited\n           AND NOT (OLD.licence_id IS NULL AND OLD.state = 'waiting' AND NEW.state IN ('approved', 'accepting')) THEN\n            RAISE EXCEPTION 'the licence of an exception changes only when it opens after waiting for one';\n        END IF;\n        IF NEW.conditions_digest IS DISTINCT FROM OLD.conditions_digest\n           AND (OLD.conditions_digest <> '' OR OLD.state = 'accepting' OR NEW.state <> 'accepting') THEN\n            RAISE EXCEPTION 'the conditions are fixed when the exception is approved';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="95a3c6cc6eec00ca439d14c44a5d64e215e698b1",
                    operation="UPDATE",
                    pgid="pgtrigger_exception_fixed_dfc7a",
                    table="waivers_exceptionrequest",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exceptionrequest",
            trigger=pgtrigger.compiler.Trigger(
                name="exception_approved",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.state IN ('approved', 'waiting', 'accepting') AND OLD.state IS DISTINCT FROM NEW.state)",
                    func="\n        IF NOT EXISTS (SELECT 1 FROM approvals_request a\n                        WHERE a.subject = 'exception:' || NEW.id AND a.state = 'approved' AND a.kind LIKE 'exception%'\n                          AND a.content_digest = NEW.digest AND a.requester_id = NEW.filer_id AND EXISTS (\n                              SELECT 1 FROM approvals_conflict c\n                               WHERE c.request_id = a.id AND c.person_id = NEW.person_id)) THEN\n            RAISE EXCEPTION 'an exception is approved by its approval only';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="fa32e54a3844a7752cdd7aadc3a2d39121c5419e",
                    operation="UPDATE",
                    pgid="pgtrigger_exception_approved_1de7c",
                    table="waivers_exceptionrequest",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="waiver",
            trigger=pgtrigger.compiler.Trigger(
                name="waiver_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF (OLD.person_id, OLD.directive_id, OLD.request_id, OLD.licence_id, OLD.starts_at, OLD.break_glass_id)\n           IS DISTINCT FROM (NEW.person_id, NEW.directive_id, NEW.request_id, NEW.licence_id, NEW.starts_at,\n                             NEW.break_glass_id)\n           OR NEW.ends_at > OLD.ends_at OR (OLD.ended_at IS NOT NULL AND NEW.ended_at IS NULL) THEN\n            RAISE EXCEPTION 'a waiver can only be ended; a longer one needs a new approval';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="564dc5ebf80c083f383bd63f3cc7e298ea75b4d8",
                    operation="UPDATE",
                    pgid="pgtrigger_waiver_fixed_3ecf2",
                    table="waivers_waiver",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="waiver",
            trigger=pgtrigger.compiler.Trigger(
                name="waiver_of_its_request",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF NEW.break_glass_id IS NOT NULL THEN\n            IF NEW.request_id IS NOT NULL OR NEW.licence_id IS NOT NULL OR NOT EXISTS (\n                SELECT 1 FROM waivers_breakglass b\n                 WHERE b.id = NEW.break_glass_id AND b.confirmed_at IS NOT NULL AND b.reviewed_at IS NULL\n                   AND b.person_id = NEW.person_id AND b.directive_id = NEW.directive_id\n                   AND NEW.starts_at >= b.confirmed_at\n                   AND NEW.ends_at <= b.confirmed_at + make_interval(hours => b.hours)) THEN\n                RAISE EXCEPTION 'a waiver without stages gives what two people opened together, for their hours';\n            END IF;\n            RETURN NEW;\n        END IF;\n        IF NOT EXISTS (SELECT 1 FROM waivers_exceptionrequest e\n                        WHERE e.id = NEW.request_id AND e.state = 'approved' AND e.person_id = NEW.person_id\n                          AND e.directive_id = NEW.directive_id AND e.licence_id IS NOT DISTINCT FROM NEW.licence_id\n                          AND NEW.ends_at <= NEW.starts_at + make_interval(days => e.days)) THEN\n            RAISE EXCEPTION 'a waiver gives what its approved request asked for';\n        END IF;\n        IF waivers_has_conditions(NEW.request_id) AND NOT EXISTS (\n            SELECT 1 FROM waivers_acceptance a WHERE a.request_id = NEW.request_id) THEN\n            RAISE EXCEPTION 'a waiver with conditions opens when the person has accepted them';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="03afff7c2a93d215ec2668baae392a3e6f2fb516",
                    operation="INSERT",
                    pgid="pgtrigger_waiver_of_its_request_f3141",
                    table="waivers_waiver",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="waivercapability",
            trigger=pgtrigger.compiler.Trigger(
                name="waiver_capability_was_asked_for",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF EXISTS (SELECT 1 FROM waivers_waiver w JOIN waivers_breakglass b ON b.id = w.break_glass_id\n                    WHERE w.id = NEW.waiver_id AND NEW.model_capability_id = ANY(b.model_capability_ids)) THEN\n            RETURN NEW;\n        END IF;\n        IF NOT EXISTS (SELECT 1 FROM waivers_waiver w\n                         JOIN waivers_exceptionrequest_model_capabilities m ON m.exceptionrequest_id = w.request_id\n                        WHERE w.id = NEW.waiver_id AND m.modelcapability_id = NEW.model_capability_id) THEN\n            RAISE EXCEPTION 'a waiver gives what its approved request asked for';\n        END IF;\n        IF EXISTS (SELECT 1 FROM waivers_waiver w\n                    WHERE w.id = NEW.waiver_id AND w.licence_id IS NOT NULL AND NOT EXISTS (\n                          SELECT 1 FROM waivers_licencescope s JOIN catalog_modelcapability i ON i.model_id = s.model_id\n                           WHERE s.licence_id = w.licence_id AND i.id = NEW.model_capability_id\n                             AND (s.capability_id IS NULL OR s.capability_id = i.capability_id))) THEN\n            RAISE EXCEPTION 'a waiver gives nothing that its licence lacks';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="1de50d336cccc7cc941e11900050e740045a77fe",
                    operation="INSERT",
                    pgid="pgtrigger_waiver_capability_was_asked_for_02a47",
                    table="waivers_waivercapability",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddField(
            model_name="acceptance",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="acceptance",
            name="request",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="acceptance", to="waivers.exceptionrequest"
            ),
        ),
        migrations.AddField(
            model_name="breakglass",
            name="confirmed_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="breakglass",
            name="directive",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="directives.directive"
            ),
        ),
        migrations.AddField(
            model_name="breakglass",
            name="opened_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="breakglass",
            name="person",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="people.person"),
        ),
        migrations.AddField(
            model_name="breakglass",
            name="reviewed_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="breakglass",
            name="version",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="directives.directiveversion"
            ),
        ),
        migrations.AddField(
            model_name="waiver",
            name="break_glass",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="waiver",
                to="waivers.breakglass",
            ),
        ),
        migrations.AddIndex(
            model_name="waiver",
            index=models.Index(
                condition=models.Q(("ended_at", None), ("reminded_at", None)),
                fields=["ends_at"],
                name="waiver_to_remind_of",
            ),
        ),
        migrations.AddConstraint(
            model_name="waiver",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("break_glass", None), ("request__isnull", False)),
                    models.Q(("break_glass__isnull", False), ("request", None)),
                    _connector="OR",
                ),
                name="waiver_one_source",
            ),
        ),
        migrations.AddField(
            model_name="condition",
            name="author",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="condition",
            name="request",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="added_conditions",
                to="waivers.exceptionrequest",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="acceptance",
            trigger=pgtrigger.compiler.Trigger(
                name="accepted_by_the_person",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF NOT EXISTS (SELECT 1 FROM waivers_exceptionrequest e JOIN people_person p ON p.id = e.person_id\n                         JOIN accounts_user u ON lower(u.email) = lower(p.email) AND u.is_active\n                        WHERE e.id = NEW.request_id AND e.state = 'accepting' AND u.id = NEW.account_id\n                          AND e.conditions_digest <> '' AND e.conditions_digest = NEW.digest) THEN\n            RAISE EXCEPTION 'conditions are accepted by the person alone, as they were approved';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="146dca162e23725c8b18b3ccfa574c586edbb604",
                    operation="INSERT",
                    pgid="pgtrigger_accepted_by_the_person_102e7",
                    table="waivers_acceptance",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="acceptance",
            trigger=pgtrigger.compiler.Trigger(
                name="acceptance_keep",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="0ad73283ffbbe0d1bba36f17fc19f6d05d2285e9",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_acceptance_keep_23672",
                    table="waivers_acceptance",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="acceptance",
            trigger=pgtrigger.compiler.Trigger(
                name="acceptance_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'exceptions, waivers, licences and grants are kept';",
                    hash="6a7479d53817b514147c38f02b53c13d4fc92368",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_acceptance_no_truncate_85083",
                    table="waivers_acceptance",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="breakglass",
            constraint=models.CheckConstraint(
                condition=models.Q(("hours__gte", 1), ("hours__lte", 4)), name="break_glass_hours"
            ),
        ),
        migrations.AddConstraint(
            model_name="breakglass",
            constraint=models.CheckConstraint(
                condition=models.Q(("model_capability_ids", []), _negated=True), name="break_glass_of_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="breakglass",
            constraint=models.CheckConstraint(
                condition=models.Q(("confirmed_by", models.F("opened_by")), _negated=True),
                name="break_glass_two_people",
            ),
        ),
        migrations.AddConstraint(
            model_name="breakglass",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("confirmed_at", None), ("confirmed_by", None), ("review_due", None)),
                    models.Q(
                        ("confirmed_at__isnull", False),
                        ("confirmed_by__isnull", False),
                        ("review_due__gt", models.F("confirmed_at")),
                    ),
                    _connector="OR",
                ),
                name="break_glass_confirmed",
            ),
        ),
        migrations.AddConstraint(
            model_name="breakglass",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("review", ""), ("reviewed_at", None), ("reviewed_by", None), ("verdict", "")),
                    models.Q(
                        ("reviewed_at__isnull", False),
                        ("reviewed_by__isnull", False),
                        ("verdict__in", ["needed", "not_needed"]),
                        models.Q(("review", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="break_glass_reviewed",
            ),
        ),
        migrations.AddConstraint(
            model_name="breakglass",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("reviewed_by", models.F("opened_by")), _negated=True),
                    models.Q(("reviewed_by", models.F("confirmed_by")), _negated=True),
                ),
                name="break_glass_third_person",
            ),
        ),
        migrations.AddConstraint(
            model_name="breakglass",
            constraint=models.UniqueConstraint(
                condition=models.Q(("confirmed_at__isnull", False), ("reviewed_at", None)),
                fields=("person", "directive"),
                name="break_glass_one_unreviewed",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="breakglass",
            trigger=pgtrigger.compiler.Trigger(
                name="break_glass_begins",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        NEW.opened_at := statement_timestamp();\n        IF NEW.confirmed_by_id IS NOT NULL OR NEW.reviewed_by_id IS NOT NULL THEN\n            RAISE EXCEPTION 'a break-glass begins with one person, and opens nothing until a second confirms it';\n        END IF;\n        IF NOT waivers_has_right(NEW.opened_by_id, 'break_glass')\n           OR waivers_stands_with(NEW.opened_by_id, NEW.person_id) THEN\n            RAISE EXCEPTION 'the glass is broken by the few who may, and never for themselves or whom they decide for';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="d5e162110cc0303c2a6e6f182417952e6da2f493",
                    operation="INSERT",
                    pgid="pgtrigger_break_glass_begins_8945d",
                    table="waivers_breakglass",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="breakglass",
            trigger=pgtrigger.compiler.Trigger(
                name="break_glass_steps",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF (OLD.person_id, OLD.directive_id, OLD.version_id, OLD.model_capability_ids, OLD.hours, OLD.reason, OLD.digest,\n            OLD.opened_by_id, OLD.opened_via, OLD.opened_at)\n           IS DISTINCT FROM (NEW.person_id, NEW.directive_id, NEW.version_id, NEW.model_capability_ids, NEW.hours,\n            NEW.reason, NEW.digest, NEW.opened_by_id, NEW.opened_via, NEW.opened_at)\n           OR (OLD.confirmed_by_id IS NOT NULL AND (OLD.confirmed_by_id, OLD.confirmed_via, OLD.confirmed_at, OLD.review_due)\n               IS DISTINCT FROM (NEW.confirmed_by_id, NEW.confirmed_via, NEW.confirmed_at, NEW.review_due))\n           OR (OLD.reviewed_by_id IS NOT NULL AND (OLD.reviewed_by_id, OLD.reviewed_at, OLD.verdict, OLD.review)\n               IS DISTINCT FROM (NEW.reviewed_by_id, NEW.reviewed_at, NEW.verdict, NEW.review)) THEN\n            RAISE EXCEPTION 'what two people opened together is confirmed once and reviewed once, and does not change';\n        END IF;\n        IF OLD.confirmed_by_id IS NULL AND NEW.confirmed_by_id IS NOT NULL THEN\n            NEW.confirmed_at := statement_timestamp();\n            IF NEW.confirmed_at > OLD.opened_at + interval '15 minutes' THEN\n                RAISE EXCEPTION 'the second person confirms within 15 minutes';\n            END IF;\n            IF NOT waivers_has_right(NEW.opened_by_id, 'break_glass') OR NOT waivers_has_right(NEW.confirmed_by_id, 'break_glass')\n               OR waivers_stands_with(NEW.opened_by_id, NEW.person_id) OR waivers_stands_with(NEW.confirmed_by_id, NEW.person_id)\n               OR waivers_tied(NEW.opened_by_id, NEW.confirmed_by_id) THEN\n                RAISE EXCEPTION 'the glass is broken by the few who may, and never for themselves or whom they decide for';\n            END IF;\n            IF NOT EXISTS (SELECT 1 FROM directives_directive d JOIN directives_directiveversion v ON v.id = d.version_in_force_id\n                            WHERE d.id = NEW.directive_id AND d.state = 'active' AND v.waivable = 'company'\n                              AND v.id = NEW.version_id) THEN\n                RAISE EXCEPTION 'the glass is broken only where the company itself may waive';\n            END IF;\n        END IF;\n        IF OLD.reviewed_by_id IS NULL AND NEW.reviewed_by_id IS NOT NULL THEN\n            NEW.reviewed_at := statement_timestamp();\n            IF OLD.confirmed_by_id IS NULL OR waivers_stands_with(NEW.reviewed_by_id, NEW.person_id)\n               OR NOT EXISTS (SELECT 1 FROM accounts_user u WHERE u.id = NEW.reviewed_by_id AND u.is_active) THEN\n                RAISE EXCEPTION 'it is reviewed after it was opened, by somebody whom it was not for';\n            END IF;\n        END IF;\n        RETURN NEW;\n    ",
                    hash="0d5fc71e6421e1e8721882543ac1248558b61028",
                    operation="UPDATE",
                    pgid="pgtrigger_break_glass_steps_47d91",
                    table="waivers_breakglass",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="breakglass",
            trigger=pgtrigger.compiler.Trigger(
                name="break_glass_keep",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="0c2b60ddb260ec39ca8cbc77356971001b5d8f64",
                    operation="DELETE",
                    pgid="pgtrigger_break_glass_keep_98728",
                    table="waivers_breakglass",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="breakglass",
            trigger=pgtrigger.compiler.Trigger(
                name="break_glass_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'exceptions, waivers, licences and grants are kept';",
                    hash="dab3860a809c1cf1c0e1143506bf1ff0029b66c7",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_break_glass_no_truncate_2593b",
                    table="waivers_breakglass",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="condition",
            trigger=pgtrigger.compiler.Trigger(
                name="condition_while_open",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF NOT EXISTS (SELECT 1 FROM waivers_exceptionrequest e\n                         JOIN approvals_request a ON a.subject = 'exception:' || e.id AND a.state = 'open'\n                        WHERE e.id = NEW.request_id AND e.state = 'open' AND e.revision = NEW.revision\n                          AND NOT approvals_in_conflict(NEW.author_id, a.id)) THEN\n            RAISE EXCEPTION 'conditions are set while an exception is decided, by somebody without a conflict';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="00b97fbec7e6ec953b8f8ea0b2699a695e4aa233",
                    operation="INSERT",
                    pgid="pgtrigger_condition_while_open_c8bee",
                    table="waivers_condition",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="condition",
            trigger=pgtrigger.compiler.Trigger(
                name="condition_keep",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="cab7386a1359de7001354eb341d3767423dd787d",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_condition_keep_b01c3",
                    table="waivers_condition",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="condition",
            trigger=pgtrigger.compiler.Trigger(
                name="condition_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'exceptions, waivers, licences and grants are kept';",
                    hash="ad89b1ac2a56ecadc5017f3227d366e80e901da6",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_condition_no_truncate_fdc05",
                    table="waivers_condition",
                    when="BEFORE",
                ),
            ),
        ),
    ]
