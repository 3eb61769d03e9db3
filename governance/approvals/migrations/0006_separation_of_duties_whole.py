"""The database holds separation of duties whole: parties by person and account, stages of the policy, time that has passed."""
# ruff: noqa: E501 (the trigger functions stand as they were generated)

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from governance.approvals.guards import FUNCTIONS


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0005_functions"),
    ]

    operations = [
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
        pgtrigger.migrations.RemoveTrigger(
            model_name="delegation",
            name="delegation_fixed",
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
        migrations.AddField(
            model_name="request",
            name="effect",
            field=models.CharField(blank=True, max_length=10),
        ),
        migrations.AddField(
            model_name="request",
            name="people",
            field=models.PositiveIntegerField(default=0),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="conflict",
            trigger=pgtrigger.compiler.Trigger(
                name="conflict_of_both",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        INSERT INTO approvals_conflict (request_id, user_id, person_id, reason)\n        SELECT NEW.request_id, CASE WHEN NEW.user_id IS NULL THEN u.id END, CASE WHEN NEW.person_id IS NULL THEN p.id END,\n               NEW.reason\n          FROM accounts_user u JOIN people_person p ON lower(p.email) = lower(u.email)\n          JOIN approvals_request r ON r.id = NEW.request_id\n         WHERE (u.id = NEW.user_id OR p.id = NEW.person_id AND u.id <> r.requester_id) AND NOT EXISTS (\n               SELECT 1 FROM approvals_conflict c WHERE c.request_id = NEW.request_id\n                  AND (NEW.user_id IS NULL AND c.user_id = u.id OR NEW.person_id IS NULL AND c.person_id = p.id));\n        RETURN NULL;\n    ",
                    hash="6d6e2fb154f0e6caff5d813b4775ce21a8b72cb6",
                    operation="INSERT",
                    pgid="pgtrigger_conflict_of_both_53681",
                    table="approvals_conflict",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="delegation",
            trigger=pgtrigger.compiler.Trigger(
                name="delegation_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL OR\n           (OLD.principal_id, OLD.delegate_id, OLD.starts_at, OLD.ends_at, OLD.reason)\n           IS DISTINCT FROM (NEW.principal_id, NEW.delegate_id, NEW.starts_at, NEW.ends_at, NEW.reason) THEN\n            RAISE EXCEPTION 'a delegation can only be revoked, once';\n        END IF;\n        IF NEW.revoked_at < statement_timestamp() - interval '1 minute' THEN\n            RAISE EXCEPTION 'a delegation ends now, never in hindsight';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="42b1be3d4b014116d88cc9ef78424187070a9f6f",
                    operation="UPDATE",
                    pgid="pgtrigger_delegation_fixed_03d87",
                    table="approvals_delegation",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="request",
            trigger=pgtrigger.compiler.Trigger(
                name="request_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF (OLD.kind, OLD.subject, OLD.requester_id, OLD.policy_id, OLD.opened_at)\n           IS DISTINCT FROM (NEW.kind, NEW.subject, NEW.requester_id, NEW.policy_id, NEW.opened_at) THEN\n            RAISE EXCEPTION 'what was asked for does not change';\n        END IF;\n        IF (OLD.content_digest, OLD.revision, OLD.tier, OLD.days, OLD.people, OLD.effect)\n           IS DISTINCT FROM (NEW.content_digest, NEW.revision, NEW.tier, NEW.days, NEW.people, NEW.effect)\n           AND NOT (OLD.state = 'open' AND NEW.state = 'open' AND NEW.revision = OLD.revision + 1) THEN\n            RAISE EXCEPTION 'what was asked for changes only as a new revision, which voids every decision';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="f188a23ccc6996a8a83e7c5156e6d7b523a78690",
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
                    func="\n        IF NEW.state <> 'open' OR NEW.revision <> 1 OR NEW.opened_at > statement_timestamp() + interval '1 minute' THEN\n            RAISE EXCEPTION 'a request begins open, and now';\n        END IF;\n        IF NOT EXISTS (SELECT 1 FROM approvals_approvalpolicy p\n                        WHERE p.id = NEW.policy_id AND p.kind = NEW.kind AND p.active) THEN\n            RAISE EXCEPTION 'a request begins under the policy that is in force for its kind';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="0067782a420f9deb3b09fdb612d156c674428cc9",
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
                name="requester_is_party",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        INSERT INTO approvals_conflict (request_id, person_id, reason)\n        SELECT NEW.id, p.id, 'You asked for it.' FROM accounts_user u\n          JOIN people_person p ON lower(p.email) = lower(u.email) WHERE u.id = NEW.requester_id;\n        RETURN NULL;\n    ",
                    hash="09d0294c4e7105966173c92d58fbe0337df61549",
                    operation="INSERT",
                    pgid="pgtrigger_requester_is_party_d1bd4",
                    table="approvals_request",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="request",
            trigger=pgtrigger.compiler.Trigger(
                name="request_all_stages",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.state <> 'approved' AND NEW.state = 'approved')",
                    func="\n        IF NOT coalesce((SELECT bool_and(s.state = 'approved' AND approvals_counting(s.id) >= s.quorum)\n                           FROM approvals_requeststage s\n                          WHERE s.request_id = NEW.id AND s.revision = NEW.revision), FALSE) THEN\n            RAISE EXCEPTION 'a request is approved when all of its stages are';\n        END IF;\n        IF EXISTS (SELECT 1 FROM approvals_policystage p\n                    WHERE p.policy_id = NEW.policy_id AND (p.min_tier IS NULL OR NEW.tier >= p.min_tier)\n                      AND (p.more_than_days IS NULL OR NEW.days > p.more_than_days)\n                      AND (p.more_than_people IS NULL OR NEW.people > p.more_than_people)\n                      AND (p.effects = '{}' OR NEW.effect = ANY(p.effects)) AND NOT EXISTS (\n                          SELECT 1 FROM approvals_requeststage s WHERE s.request_id = NEW.id\n                             AND s.revision = NEW.revision AND s.name = p.name AND s.quorum >= p.quorum)) THEN\n            RAISE EXCEPTION 'a request is approved when it passed every stage of its policy';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="cc65b3f09bbef52068a49e9f22ea1c25a019acf8",
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
                name="request_stage_quorum",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n        IF (OLD.request_id, OLD.revision, OLD.position, OLD.name, OLD.groups, OLD.permission, OLD.quorum, OLD.escalate_to,\n            OLD.at_end, OLD.due_hours, OLD.business_hours)\n           IS DISTINCT FROM (NEW.request_id, NEW.revision, NEW.position, NEW.name, NEW.groups, NEW.permission, NEW.quorum,\n            NEW.escalate_to, NEW.at_end, NEW.due_hours, NEW.business_hours)\n           OR NEW.due_at < OLD.due_at OR (OLD.due_at IS NOT NULL AND NEW.due_at IS NULL) THEN\n            RAISE EXCEPTION 'a stage does not change once it was resolved, but for more time';\n        END IF;\n        IF OLD.due_at IS NULL AND NEW.due_at IS NOT NULL AND coalesce(NEW.due_at < statement_timestamp()\n           + make_interval(hours => NEW.due_hours) - interval '1 minute', TRUE) THEN\n            RAISE EXCEPTION 'a stage has the time that its policy gives it';\n        END IF;\n        IF NEW.escalated_at IS DISTINCT FROM OLD.escalated_at AND (OLD.escalated_at IS NOT NULL\n           OR OLD.at_end <> 'escalate' OR OLD.due_at IS NULL OR statement_timestamp() < OLD.due_at) THEN\n            RAISE EXCEPTION 'a stage escalates once, when it is overdue';\n        END IF;\n        IF NEW.state = 'open' AND OLD.state = 'waiting' AND EXISTS (\n            SELECT 1 FROM approvals_requeststage s WHERE s.request_id = NEW.request_id AND s.revision = NEW.revision\n               AND s.position < NEW.position AND s.state <> 'approved') THEN\n            RAISE EXCEPTION 'a stage waits for its turn';\n        END IF;\n        IF NEW.state = 'approved' AND OLD.state <> 'approved' AND NEW.quorum > approvals_counting(NEW.id) THEN\n            RAISE EXCEPTION 'a stage needs its quorum of votes';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="efd6530ba8e1e4c328ba27d188d74dd49b95c448",
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
                    func="\n        IF NEW.state NOT IN ('waiting', 'open') OR NEW.quorum < 1 OR NEW.escalated_at IS NOT NULL OR NOT EXISTS (\n            SELECT 1 FROM approvals_request r\n             WHERE r.id = NEW.request_id AND r.state = 'open' AND r.revision = NEW.revision) THEN\n            RAISE EXCEPTION 'a stage begins undecided, in an open request';\n        END IF;\n        IF (NEW.state = 'open' AND NEW.position <> 1) OR NOT EXISTS (\n            SELECT 1 FROM approvals_request r JOIN approvals_policystage p ON p.policy_id = r.policy_id\n             WHERE r.id = NEW.request_id AND p.name = NEW.name AND p.groups = NEW.groups\n               AND p.permission = NEW.permission AND p.quorum <= NEW.quorum AND p.escalate_to = NEW.escalate_to\n               AND p.at_end = NEW.at_end AND p.due_hours IS NOT DISTINCT FROM NEW.due_hours\n               AND p.business_hours = NEW.business_hours) THEN\n            RAISE EXCEPTION 'a stage is one of its policy, and waits for its turn';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="91394cbaed276c3fd46251cca0ee31b08c9a20eb",
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
                    func="\n        SELECT * INTO asked FROM approvals_request WHERE id = NEW.request_id FOR UPDATE;\n        SELECT * INTO stage FROM approvals_requeststage WHERE id = NEW.stage_id;\n        principal := coalesce(NEW.on_behalf_of_id, NEW.approver_id);\n        IF asked.state <> 'open' OR stage.request_id <> asked.id OR stage.state <> 'open'\n           OR stage.revision <> asked.revision THEN\n            RAISE EXCEPTION 'a vote counts only in an open stage of an open request';\n        END IF;\n        IF NEW.content_digest <> asked.content_digest OR NEW.revision <> asked.revision THEN\n            RAISE EXCEPTION 'a vote is bound to the content that was asked about';\n        END IF;\n        IF NEW.approver_id = asked.requester_id THEN\n            RAISE EXCEPTION 'nobody decides what they asked for';\n        END IF;\n        IF approvals_in_conflict(NEW.approver_id, asked.id) OR approvals_in_conflict(principal, asked.id) THEN\n            RAISE EXCEPTION 'nobody decides with a conflict, nor for somebody with one';\n        END IF;\n        IF EXISTS (SELECT 1 FROM approvals_vote v WHERE v.request_id = asked.id AND v.revision = asked.revision\n                      AND (v.approver_id IN (NEW.approver_id, principal)\n                           OR v.on_behalf_of_id IN (NEW.approver_id, principal))) THEN\n            RAISE EXCEPTION 'nobody decides twice in a request, not even through somebody else';\n        END IF;\n        PERFORM 1 FROM approvals_delegation d\n          WHERE d.principal_id = NEW.on_behalf_of_id AND d.delegate_id = NEW.approver_id AND d.revoked_at IS NULL\n            AND d.starts_at <= statement_timestamp() AND d.ends_at > statement_timestamp() FOR SHARE;\n        IF NEW.on_behalf_of_id IS NOT NULL AND NOT FOUND THEN\n            RAISE EXCEPTION 'nobody decides for somebody else without a delegation that runs';\n        END IF;\n        IF NEW.via <> '' AND (NEW.via = asked.requester_via OR EXISTS (\n               SELECT 1 FROM approvals_vote v WHERE v.request_id = asked.id AND v.via = NEW.via))\n           AND EXISTS (SELECT 1 FROM accounts_user u WHERE u.id = NEW.approver_id AND NOT u.is_demo) THEN\n            RAISE EXCEPTION 'one operating-system user does not stand on both sides of a request';\n        END IF;\n        IF NOT EXISTS (SELECT 1 FROM accounts_user u WHERE u.id = NEW.approver_id AND u.is_active)\n           OR approvals_administers(NEW.approver_id) OR NOT approvals_has_right(principal, stage.id) THEN\n            RAISE EXCEPTION 'a vote counts only from an active account that may decide this stage';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="09637ab26c68c7673175e9b5190a16a6fb15aa87",
                    operation="INSERT",
                    pgid="pgtrigger_vote_separation_of_duties_2b694",
                    table="approvals_vote",
                    when="BEFORE",
                ),
            ),
        ),
    ]
