"""A policy takes force only when somebody else than its author approved it."""
# ruff: noqa: E501 (the trigger functions stand as they were generated)

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0006_separation_of_duties_whole"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="approvalpolicy",
            name="policy_fixed",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="policystage",
            name="policy_stage_fixed",
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="approvalpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="policy_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF (OLD.kind, OLD.version, OLD.author_id, OLD.note, OLD.written_at)\n           IS DISTINCT FROM (NEW.kind, NEW.version, NEW.author_id, NEW.note, NEW.written_at) THEN\n            RAISE EXCEPTION 'a policy that was written does not change; write another version';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="c4b043ac58477ba04a7efac25da8b2a4c0b82e86",
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
                name="policy_approved",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF NEW.active AND (TG_OP = 'INSERT' OR NOT OLD.active) THEN\n            IF NEW.version > 1 AND NOT EXISTS (\n                SELECT 1 FROM approvals_request r\n                 WHERE r.subject = 'approval-policy:' || NEW.kind || ':' || NEW.version AND r.kind = 'approval.policy'\n                   AND r.state = 'approved' AND r.requester_id = NEW.author_id) THEN\n                RAISE EXCEPTION 'a policy takes force when somebody else than its author has approved it';\n            END IF;\n            IF EXISTS (SELECT 1 FROM approvals_approvalpolicy p JOIN approvals_request r\n                          ON r.subject = 'approval-policy:' || p.kind || ':' || p.version AND r.state = 'approved'\n                        WHERE p.kind = NEW.kind AND p.version > NEW.version) THEN\n                RAISE EXCEPTION 'a policy that was superseded does not take force again; write another version';\n            END IF;\n        END IF;\n        RETURN NEW;\n    ",
                    hash="dade4498ee040dbb64e5fcda7990adb99065abcd",
                    operation="INSERT OR UPDATE",
                    pgid="pgtrigger_policy_approved_34579",
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
                    func="\n        IF TG_OP <> 'INSERT' OR EXISTS (SELECT 1 FROM approvals_request r WHERE r.policy_id = NEW.policy_id)\n           OR (SELECT p.active FROM approvals_approvalpolicy p WHERE p.id = NEW.policy_id)\n           OR EXISTS (SELECT 1 FROM approvals_request r JOIN approvals_approvalpolicy p ON p.id = NEW.policy_id\n                       WHERE r.subject = 'approval-policy:' || p.kind || ':' || p.version) THEN\n            RAISE EXCEPTION 'the stages of a policy do not change; write another version';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="8751fbea085c81019e8cce87dff8120e482795b1",
                    operation="INSERT OR UPDATE OR DELETE",
                    pgid="pgtrigger_policy_stage_fixed_2c25e",
                    table="approvals_policystage",
                    when="BEFORE",
                ),
            ),
        ),
    ]
