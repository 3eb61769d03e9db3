"""A directive moves, and a version takes force, by the approval of just that; the row keeps which one it was.

What was moved and approved before gets the approval that it was moved and approved by.
"""
# ruff: noqa: E501 (the trigger functions stand as they were generated)

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

_BY_WHICH = """
UPDATE directives_directive d SET moved_by_id = r.id
  FROM (SELECT subject, max(id) AS id FROM approvals_request
         WHERE state = 'approved' AND kind IN ('directive.suspension', 'directive.resumption', 'directive.rescission')
         GROUP BY subject) r
 WHERE r.subject = 'directive:' || d.reference;
UPDATE directives_directiveversion v SET approval_id = (
    SELECT max(r.id) FROM approvals_request r JOIN directives_directive d ON r.subject = 'directive:' || d.reference
     WHERE d.id = v.directive_id AND r.state = 'approved' AND r.kind LIKE 'directive.activation%'
       AND r.opened_at >= v.submitted_at AND r.closed_at <= v.approved_at)
 WHERE v.approved_at IS NOT NULL;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0011_still_stands"),
        ("directives", "0006_shorten_waivers"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="directiveversion",
            name="version_second_person",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="directiveversion",
            name="version_immutable",
        ),
        migrations.AddField(
            model_name="directive",
            name="moved_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="approvals.request",
            ),
        ),
        migrations.AddField(
            model_name="directiveversion",
            name="approval",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="approvals.request",
            ),
        ),
        migrations.RunSQL(_BY_WHICH, migrations.RunSQL.noop),
        pgtrigger.migrations.AddTrigger(
            model_name="directive",
            trigger=pgtrigger.compiler.Trigger(
                name="directive_second_person",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE act text; version directives_directiveversion%ROWTYPE;",
                    func="\n        IF NEW.reference <> OLD.reference THEN\n            RAISE EXCEPTION 'a directive keeps its reference: its approvals go by it';\n        END IF;\n        SELECT * INTO version FROM directives_directiveversion WHERE id = OLD.version_in_force_id;\n        IF NEW.state = 'expired' AND OLD.state <> 'expired'\n           AND NOT coalesce(version.expires_at <= statement_timestamp(), FALSE) THEN\n            RAISE EXCEPTION 'a directive expires when its term has ended';\n        END IF;\n        act := CASE WHEN NEW.state = OLD.state THEN NULL WHEN NEW.state = 'suspended' THEN 'suspension'\n                    WHEN NEW.state = 'active' AND OLD.state = 'suspended' THEN 'resumption'\n                    WHEN NEW.state = 'rescinded' THEN 'rescission' END;\n        IF act = 'rescission' AND NEW.moved_by_id IS NOT DISTINCT FROM OLD.moved_by_id AND EXISTS (\n            SELECT 1 FROM directives_directiveversion v WHERE v.replaces_id = OLD.id AND v.state = 'in_force') THEN\n            act := NULL;\n        END IF;\n        IF act IS NOT NULL AND NOT EXISTS (\n            SELECT 1 FROM approvals_request r\n             WHERE r.id = NEW.moved_by_id AND r.id > coalesce(OLD.moved_by_id, 0) AND r.state = 'approved'\n               AND r.subject = 'directive:' || OLD.reference AND r.kind = 'directive.' || act\n               AND r.content_digest = encode(sha256(convert_to('{\"act\":' || to_json(act) || ',\"reference\":' || to_json(OLD.reference)\n                || ',\"version\":' || to_json(version.digest) || '}', 'UTF8')), 'hex')) THEN\n            RAISE EXCEPTION 'a directive is suspended, resumed or rescinded by an approval of just that, which serves once';\n        END IF;\n        IF act IS NULL AND NEW.moved_by_id IS DISTINCT FROM OLD.moved_by_id THEN\n            RAISE EXCEPTION 'a directive keeps the approval that it was moved by';\n        END IF;\n        IF NEW.version_in_force_id IS DISTINCT FROM OLD.version_in_force_id THEN\n            SELECT * INTO version FROM directives_directiveversion WHERE id = NEW.version_in_force_id;\n            IF coalesce(version.directive_id <> NEW.id OR version.state <> 'in_force', TRUE) THEN\n                RAISE EXCEPTION 'in force is the version of a directive that took force';\n            END IF;\n        ELSIF NEW.state = 'active' AND OLD.state NOT IN ('active', 'suspended') THEN\n            RAISE EXCEPTION 'a directive becomes active with a version that takes force';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="c0979235692cf4bacc6e0c2a6f4a41f9927bc838",
                    operation="UPDATE",
                    pgid="pgtrigger_directive_second_person_833ed",
                    table="directives_directive",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="directive",
            trigger=pgtrigger.compiler.Trigger(
                name="emergency_owed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE version directives_directiveversion%ROWTYPE;",
                    func="\n        SELECT * INTO version FROM directives_directiveversion WHERE id = NEW.version_in_force_id;\n        IF NEW.version_in_force_id IS DISTINCT FROM OLD.version_in_force_id THEN\n            IF version.emergency_reason <> '' AND coalesce(\n                NEW.confirmed_at IS NOT NULL OR NEW.confirm_by > statement_timestamp() + interval '24 hours', TRUE) THEN\n                RAISE EXCEPTION 'an emergency is to be confirmed within 24 hours';\n            END IF;\n            RETURN NEW;\n        END IF;\n        IF NEW.confirmed_at IS DISTINCT FROM OLD.confirmed_at AND (NEW.confirmed_at IS NULL OR NOT EXISTS (\n            SELECT 1 FROM approvals_request r\n             WHERE r.subject = 'directive:' || NEW.reference AND r.kind = 'directive.confirmation'\n               AND r.state = 'approved' AND r.content_digest = version.digest)) THEN\n            RAISE EXCEPTION 'an emergency is confirmed by the approval of a second person';\n        END IF;\n        IF NEW.confirm_by IS DISTINCT FROM OLD.confirm_by AND NOT coalesce(NEW.confirm_by < OLD.confirm_by, FALSE)\n           AND NOT (NEW.confirm_by IS NULL AND NEW.state IN ('rescinded', 'expired')) THEN\n            RAISE EXCEPTION 'the confirmation of an emergency is not put off';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="d5791fb68b4627d04b58875f4212253bc9db25a6",
                    operation="UPDATE",
                    pgid="pgtrigger_emergency_owed_813ab",
                    table="directives_directive",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="directive",
            trigger=pgtrigger.compiler.Trigger(
                name="verify_clock",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN ((OLD.verify_deadline, OLD.verify_remaining, OLD.version_in_force_id, OLD.state) IS DISTINCT FROM (NEW.verify_deadline, NEW.verify_remaining, NEW.version_in_force_id, NEW.state))",
                    declare="DECLARE until timestamptz;",
                    func="\n        until := coalesce(OLD.verify_deadline, statement_timestamp() + OLD.verify_remaining);\n        IF NEW.version_in_force_id IS DISTINCT FROM OLD.version_in_force_id THEN\n            SELECT greatest(until, statement_timestamp() + make_interval(hours => v.on_unknown_hours)) INTO until\n              FROM directives_directiveversion v WHERE v.id = NEW.version_in_force_id AND v.on_unknown_then = 'verify';\n        END IF;\n        IF coalesce(NEW.verify_deadline > until, NEW.verify_deadline IS NOT NULL AND until IS NULL)\n           OR coalesce(statement_timestamp() + NEW.verify_remaining\n                       > greatest(until, statement_timestamp()) + interval '1 minute',\n                       NEW.verify_remaining IS NOT NULL AND until IS NULL)\n           OR NEW.state = 'active' AND NEW.verify_deadline IS NULL AND until IS NOT NULL THEN\n            RAISE EXCEPTION 'unknown people have the time that the version in force gives them, and no more';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="0ae82ea7915ca35e3259ea0c1a6d0dd64eb1196b",
                    operation="UPDATE",
                    pgid="pgtrigger_verify_clock_0b1e8",
                    table="directives_directive",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="directiveversion",
            trigger=pgtrigger.compiler.Trigger(
                name="version_immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.state <> 'draft')",
                    func="\n                    IF OLD.effect IS DISTINCT FROM NEW.effect OR OLD.on_unknown_then IS DISTINCT FROM NEW.on_unknown_then OR OLD.on_unknown_hours IS DISTINCT FROM NEW.on_unknown_hours OR OLD.waivable IS DISTINCT FROM NEW.waivable OR OLD.include_derived IS DISTINCT FROM NEW.include_derived OR OLD.rule IS DISTINCT FROM NEW.rule OR OLD.expanded_rule IS DISTINCT FROM NEW.expanded_rule OR OLD.legal_basis IS DISTINCT FROM NEW.legal_basis OR OLD.effective_at IS DISTINCT FROM NEW.effective_at OR OLD.expires_at IS DISTINCT FROM NEW.expires_at OR OLD.replaces_id IS DISTINCT FROM NEW.replaces_id OR OLD.waivers IS DISTINCT FROM NEW.waivers OR OLD.waivers_days IS DISTINCT FROM NEW.waivers_days OR OLD.waivers_until IS DISTINCT FROM NEW.waivers_until OR OLD.restart_verify IS DISTINCT FROM NEW.restart_verify OR OLD.definitions IS DISTINCT FROM NEW.definitions OR OLD.digest IS DISTINCT FROM NEW.digest OR OLD.directive_id IS DISTINCT FROM NEW.directive_id OR OLD.number IS DISTINCT FROM NEW.number OR OLD.author_id IS DISTINCT FROM NEW.author_id OR OLD.writers IS DISTINCT FROM NEW.writers OR OLD.submitter_id IS DISTINCT FROM NEW.submitter_id OR OLD.submitted_at IS DISTINCT FROM NEW.submitted_at THEN\n                        RAISE EXCEPTION 'a version is immutable once submitted';\n                    END IF;\n                    RETURN NEW;\n                ",
                    hash="8e9f7250de3362bbc4ff1ea40b45d7feb26a1b9b",
                    operation="UPDATE",
                    pgid="pgtrigger_version_immutable_6d232",
                    table="directives_directiveversion",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="directiveversion",
            trigger=pgtrigger.compiler.Trigger(
                name="version_second_person",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.state <> NEW.state AND NEW.state IN ('approved', 'in_force'))",
                    func="\n        IF NEW.state = 'in_force' AND OLD.state <> 'approved'\n           AND (NEW.emergency_reason = '' OR NEW.activated_by_id IS NULL) THEN\n            RAISE EXCEPTION 'a version takes force when it is approved, or in an emergency with its reason';\n        END IF;\n        IF NEW.state = 'approved' AND NOT EXISTS (\n            SELECT 1 FROM approvals_request r\n              JOIN directives_directive d ON d.id = NEW.directive_id AND r.subject = 'directive:' || d.reference\n              JOIN enforcement_storedpreview p ON p.version_id = NEW.id AND p.fingerprint = r.content_digest\n             WHERE r.id = NEW.approval_id AND r.state = 'approved' AND r.opened_at >= NEW.submitted_at\n               AND (r.kind = 'directive.activation.counsel' OR r.kind = 'directive.activation'\n                    AND NOT (NEW.on_unknown_then <> 'deny' AND d.comply_immediately))\n               AND NOT EXISTS (SELECT 1 FROM approvals_vote v WHERE v.request_id = r.id\n                               AND (v.approver_id = ANY(NEW.writers) OR v.approver_id = NEW.submitter_id))) THEN\n            RAISE EXCEPTION 'a version is approved by somebody who neither wrote nor submitted it';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="822d59c7a8dae3a99c348183c5ddb931234510cf",
                    operation="UPDATE",
                    pgid="pgtrigger_version_second_person_52509",
                    table="directives_directiveversion",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="directiveversion",
            trigger=pgtrigger.compiler.Trigger(
                name="version_keeps_approval",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.approval_id IS DISTINCT FROM NEW.approval_id AND NOT (OLD.state = 'submitted' AND NEW.state = 'approved'))",
                    func="RAISE EXCEPTION 'a version keeps the approval that it was approved by';",
                    hash="4ba8a22e70a743805e95ca30042d1d04f53a6079",
                    operation="UPDATE",
                    pgid="pgtrigger_version_keeps_approval_1856e",
                    table="directives_directiveversion",
                    when="BEFORE",
                ),
            ),
        ),
    ]
