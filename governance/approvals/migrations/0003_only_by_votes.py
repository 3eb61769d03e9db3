"""A request counts as approved only by its stages, a stage begins undecided, and no table of approvals can be emptied."""
# ruff: noqa: E501 (the trigger functions stand as they were generated)

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0002_default_policies"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="vote",
            name="vote_no_truncate",
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="approvalpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="policy_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'approvals are kept';",
                    hash="bf52d113323c077a295ee87eb96138c148e55120",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_policy_no_truncate_94d7b",
                    table="approvals_approvalpolicy",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="conflict",
            trigger=pgtrigger.compiler.Trigger(
                name="conflict_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'approvals are kept';",
                    hash="19f1e5800a83df4da65fd5bf4bdac650ec649bce",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_conflict_no_truncate_e6308",
                    table="approvals_conflict",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="policystage",
            trigger=pgtrigger.compiler.Trigger(
                name="policy_stage_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'approvals are kept';",
                    hash="4d79bbeb47af1c1c386091b325c549fd9ffe418c",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_policy_stage_no_truncate_b5132",
                    table="approvals_policystage",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="request",
            trigger=pgtrigger.compiler.Trigger(
                name="request_begins",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.state <> 'open')",
                    func="RAISE EXCEPTION 'a request begins open';",
                    hash="66f1d30bc41dea18f1980e566e9dcf1cd78df6f0",
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
                    func="\n                    IF NOT coalesce((SELECT bool_and(s.state = 'approved') FROM approvals_requeststage s\n                                      WHERE s.request_id = NEW.id), FALSE) THEN\n                        RAISE EXCEPTION 'a request is approved when all of its stages are';\n                    END IF;\n                    RETURN NEW;\n                ",
                    hash="aa48a12be6a0bf95fb8f0be42677b70ec2d1b841",
                    operation="UPDATE",
                    pgid="pgtrigger_request_all_stages_e3238",
                    table="approvals_request",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="request",
            trigger=pgtrigger.compiler.Trigger(
                name="request_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'approvals are kept';",
                    hash="6651791fc632d2d2dc68a40906745c6b1e4ed627",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_request_no_truncate_03daf",
                    table="approvals_request",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="requeststage",
            trigger=pgtrigger.compiler.Trigger(
                name="request_stage_begins",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n                    IF NEW.state NOT IN ('waiting', 'open') OR NEW.quorum < 1 OR NOT EXISTS (\n                        SELECT 1 FROM approvals_request r WHERE r.id = NEW.request_id AND r.state = 'open') THEN\n                        RAISE EXCEPTION 'a stage begins undecided, in an open request';\n                    END IF;\n                    RETURN NEW;\n                ",
                    hash="93b4f407bbeb85f977e0e56d8ed79a2e1fac8539",
                    operation="INSERT",
                    pgid="pgtrigger_request_stage_begins_98e09",
                    table="approvals_requeststage",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="requeststage",
            trigger=pgtrigger.compiler.Trigger(
                name="request_stage_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'approvals are kept';",
                    hash="8699f41828a416b23faef959600f56273c88c962",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_request_stage_no_truncate_ef273",
                    table="approvals_requeststage",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="vote",
            trigger=pgtrigger.compiler.Trigger(
                name="vote_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'approvals are kept';",
                    hash="697f00263c20f8f6eea10b42e4bef769f0f0b814",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_vote_no_truncate_79773",
                    table="approvals_vote",
                    when="BEFORE",
                ),
            ),
        ),
    ]
