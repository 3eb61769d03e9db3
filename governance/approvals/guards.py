"""What the database itself refuses about approvals, whatever writes the row.

The services check all of this too and say it kindly; these functions and triggers are for bugs, shell sessions and whoever has
the password of the database. ``FUNCTIONS`` is what the triggers call: who has a right of their own in a stage, who is in conflict
with a request, and which votes still count.
"""

from __future__ import annotations

import pgtrigger

_HAS_RIGHT = """-- Whether an active account may decide in a stage by its own right: a role, a right, by name, or since the stage escalated.
CREATE OR REPLACE FUNCTION approvals_has_right(account bigint, stage bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM approvals_requeststage s JOIN accounts_user u ON u.id = account AND u.is_active
         WHERE s.id = stage AND NOT approvals_administers(u.id) AND (
            EXISTS (SELECT 1 FROM accounts_user_groups ug JOIN auth_group g ON g.id = ug.group_id
                     WHERE ug.user_id = u.id
                       AND (g.name = ANY(s.groups) OR (s.escalated_at IS NOT NULL AND g.name = ANY(s.escalate_to))))
            OR EXISTS (SELECT 1 FROM approvals_stageapprover a WHERE a.stage_id = s.id AND a.user_id = u.id{named})
            OR (s.permission <> '' AND EXISTS (
                SELECT 1 FROM accounts_user_groups ug
                  JOIN auth_group_permissions gp ON gp.group_id = ug.group_id
                  JOIN auth_permission p ON p.id = gp.permission_id AND p.codename = s.permission
                  JOIN django_content_type t ON t.id = p.content_type_id AND t.app_label = 'accounts' AND t.model = 'right'
                 WHERE ug.user_id = u.id))))
$$;

"""
_FUNCTIONS = """
-- Whoever gives roles decides nothing: else they would give themselves the one they need.
CREATE OR REPLACE FUNCTION approvals_administers(account bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM accounts_user_groups ug
          JOIN auth_group_permissions gp ON gp.group_id = ug.group_id
          JOIN auth_permission p ON p.id = gp.permission_id AND p.codename = 'administer'
          JOIN django_content_type t ON t.id = p.content_type_id AND t.app_label = 'accounts' AND t.model = 'right'
         WHERE ug.user_id = account)
$$;

{has_right}-- The requester, whoever has a conflict, and whoever decides for one of them since the request was opened.
CREATE OR REPLACE FUNCTION approvals_in_conflict(account bigint, request bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    WITH parties AS (
        SELECT r.requester_id AS id FROM approvals_request r WHERE r.id = request
        UNION SELECT c.user_id FROM approvals_conflict c WHERE c.request_id = request AND c.user_id IS NOT NULL
        UNION SELECT u.id FROM approvals_conflict c JOIN people_person p ON p.id = c.person_id
                JOIN accounts_user u ON lower(u.email) = lower(p.email) WHERE c.request_id = request)
    SELECT account IN (SELECT id FROM parties) OR EXISTS (
        SELECT 1 FROM approvals_delegation d JOIN approvals_request r ON r.id = request
         WHERE d.delegate_id = account AND d.principal_id IN (SELECT id FROM parties)
           AND d.starts_at <= statement_timestamp() AND coalesce(d.revoked_at, d.ends_at) > r.opened_at)
$$;

-- How many approvals of a stage count now: of this revision, by accounts that are still active and still eligible.
CREATE OR REPLACE FUNCTION approvals_counting(stage bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT count(*) FROM approvals_vote v JOIN approvals_request r ON r.id = v.request_id
      JOIN accounts_user u ON u.id = v.approver_id AND u.is_active
     WHERE v.stage_id = stage AND v.verdict = 'approve' AND v.revision = r.revision
       AND approvals_has_right(coalesce(v.on_behalf_of_id, v.approver_id), stage)
       AND NOT approvals_in_conflict(v.approver_id, r.id)
       AND NOT approvals_in_conflict(coalesce(v.on_behalf_of_id, v.approver_id), r.id)
$$;
"""
FUNCTIONS = _FUNCTIONS.replace("{has_right}", _HAS_RIGHT.format(named=""))

# Who may decide by name because of something that may end is asked whether it has not (docs/decisions/0013). ``through`` has
# what each of them came to it by: a place above the requester, a role, or a permission on an object that is asked about.
STILL_STANDS = """
CREATE OR REPLACE FUNCTION approvals_still_stands(account bigint, stage bigint, through text[]) RETURNS boolean
LANGUAGE sql STABLE COST 1000 AS $$
    SELECT through = '{}' OR EXISTS (
        SELECT 1 FROM unnest(through) AS way(name) CROSS JOIN LATERAL (
            SELECT lower(manager.email) AS one, lower(above.email) AS two
              FROM (VALUES (1)) always
              LEFT JOIN approvals_requeststage s ON s.id = stage
              LEFT JOIN approvals_request r ON r.id = s.request_id
              LEFT JOIN accounts_user u ON u.id = r.requester_id
              LEFT JOIN people_person p ON lower(p.email) = lower(u.email)
              LEFT JOIN people_person manager ON manager.id = p.manager_id
              LEFT JOIN people_person above ON above.id = manager.manager_id) managers
         WHERE CASE
            WHEN way.name = 'requester.manager'
                THEN EXISTS (SELECT 1 FROM accounts_user u WHERE u.id = account AND lower(u.email) = managers.one)
            WHEN way.name = 'requester.manager.manager'
                THEN EXISTS (SELECT 1 FROM accounts_user u WHERE u.id = account AND lower(u.email) = managers.two)
            WHEN way.name LIKE 'role:%'
                THEN EXISTS (SELECT 1 FROM accounts_user_groups ug JOIN auth_group g ON g.id = ug.group_id
                              WHERE ug.user_id = account AND 'role:' || g.name = way.name)
            ELSE accounts_holds(account, split_part(way.name, ':', 1), split_part(way.name, ':', 2)::bigint) END)
$$;
""" + _HAS_RIGHT.format(named=" AND approvals_still_stands(u.id, s.id, a.through)")
DROP_STILL_STANDS = _HAS_RIGHT.format(named="") + "DROP FUNCTION approvals_still_stands(bigint, bigint, text[]);"
DROP_FUNCTIONS = """
DROP FUNCTION approvals_counting(bigint);
DROP FUNCTION approvals_in_conflict(bigint, bigint);
DROP FUNCTION approvals_has_right(bigint, bigint);
DROP FUNCTION approvals_administers(bigint);
"""


def never_emptied(what: str) -> pgtrigger.Trigger:
    """TRUNCATE passes row triggers by: what is kept row by row is kept whole, too."""
    return pgtrigger.Trigger(
        name=f"{what}_no_truncate",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func="RAISE EXCEPTION 'approvals are kept';",
    )


POLICY_FIXED = pgtrigger.Trigger(
    name="policy_fixed",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
        IF (OLD.kind, OLD.version, OLD.author_id, OLD.note, OLD.written_at, OLD.terms)
           IS DISTINCT FROM (NEW.kind, NEW.version, NEW.author_id, NEW.note, NEW.written_at, NEW.terms) THEN
            RAISE EXCEPTION 'a policy that was written does not change; write another version';
        END IF;
        RETURN NEW;
    """,
)

# The first version comes with the product. Every other one is asked for by who wrote it, and approved by somebody else:
# whoever could loosen who approves what could loosen everything.
POLICY_APPROVED = pgtrigger.Trigger(
    name="policy_approved",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    func="""
        IF NEW.active AND (TG_OP = 'INSERT' OR NOT OLD.active) THEN
            IF NEW.version > 1 AND NOT EXISTS (
                SELECT 1 FROM approvals_request r
                 WHERE r.subject = 'approval-policy:' || NEW.kind || ':' || NEW.version AND r.kind = 'approval.policy'
                   AND r.state = 'approved' AND r.requester_id = NEW.author_id) THEN
                RAISE EXCEPTION 'a policy takes force when somebody else than its author has approved it';
            END IF;
            IF EXISTS (SELECT 1 FROM approvals_approvalpolicy p JOIN approvals_request r
                          ON r.subject = 'approval-policy:' || p.kind || ':' || p.version AND r.state = 'approved'
                        WHERE p.kind = NEW.kind AND p.version > NEW.version) THEN
                RAISE EXCEPTION 'a policy that was superseded does not take force again; write another version';
            END IF;
        END IF;
        RETURN NEW;
    """,
)

POLICY_STAGE_FIXED = pgtrigger.Trigger(
    name="policy_stage_fixed",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
    func="""
        IF TG_OP <> 'INSERT' OR EXISTS (SELECT 1 FROM approvals_request r WHERE r.policy_id = NEW.policy_id)
           OR (SELECT p.active FROM approvals_approvalpolicy p WHERE p.id = NEW.policy_id)
           OR EXISTS (SELECT 1 FROM approvals_request r JOIN approvals_approvalpolicy p ON p.id = NEW.policy_id
                       WHERE r.subject = 'approval-policy:' || p.kind || ':' || p.version) THEN
            RAISE EXCEPTION 'the stages of a policy do not change; write another version';
        END IF;
        RETURN NEW;
    """,
)

# Its stages are those of the policy in force; and delegations are looked at from the moment it was opened, which has come.
REQUEST_BEGINS = pgtrigger.Trigger(
    name="request_begins",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func="""
        IF NEW.state <> 'open' OR NEW.revision <> 1 OR NEW.opened_at > statement_timestamp() + interval '1 minute' THEN
            RAISE EXCEPTION 'a request begins open, and now';
        END IF;
        IF NOT EXISTS (SELECT 1 FROM approvals_approvalpolicy p
                        WHERE p.id = NEW.policy_id AND p.kind = NEW.kind AND p.active) THEN
            RAISE EXCEPTION 'a request begins under the policy that is in force for its kind';
        END IF;
        RETURN NEW;
    """,
)

# An account and a person are one by an e-mail address, which may change while a request is open; who was one then stays so.
REQUESTER_IS_PARTY = pgtrigger.Trigger(
    name="requester_is_party",
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    func="""
        INSERT INTO approvals_conflict (request_id, person_id, reason)
        SELECT NEW.id, p.id, 'You asked for it.' FROM accounts_user u
          JOIN people_person p ON lower(p.email) = lower(u.email) WHERE u.id = NEW.requester_id;
        RETURN NULL;
    """,
)

CONFLICT_OF_PERSON_AND_ACCOUNT = pgtrigger.Trigger(
    name="conflict_of_both",
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    func="""
        INSERT INTO approvals_conflict (request_id, user_id, person_id, reason)
        SELECT NEW.request_id, CASE WHEN NEW.user_id IS NULL THEN u.id END, CASE WHEN NEW.person_id IS NULL THEN p.id END,
               NEW.reason
          FROM accounts_user u JOIN people_person p ON lower(p.email) = lower(u.email)
          JOIN approvals_request r ON r.id = NEW.request_id
         WHERE (u.id = NEW.user_id OR p.id = NEW.person_id AND u.id <> r.requester_id) AND NOT EXISTS (
               SELECT 1 FROM approvals_conflict c WHERE c.request_id = NEW.request_id
                  AND (NEW.user_id IS NULL AND c.user_id = u.id OR NEW.person_id IS NULL AND c.person_id = p.id));
        RETURN NULL;
    """,
)

REQUEST_FIXED = pgtrigger.Trigger(
    name="request_fixed",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
        IF (OLD.kind, OLD.subject, OLD.requester_id, OLD.policy_id, OLD.opened_at)
           IS DISTINCT FROM (NEW.kind, NEW.subject, NEW.requester_id, NEW.policy_id, NEW.opened_at) THEN
            RAISE EXCEPTION 'what was asked for does not change';
        END IF;
        IF (OLD.content_digest, OLD.revision, OLD.tier, OLD.days, OLD.people, OLD.effect)
           IS DISTINCT FROM (NEW.content_digest, NEW.revision, NEW.tier, NEW.days, NEW.people, NEW.effect)
           AND NOT (OLD.state = 'open' AND NEW.state = 'open' AND NEW.revision = OLD.revision + 1) THEN
            RAISE EXCEPTION 'what was asked for changes only as a new revision, which voids every decision';
        END IF;
        RETURN NEW;
    """,
)

REQUEST_ALL_STAGES = pgtrigger.Trigger(
    name="request_all_stages",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    condition=pgtrigger.Condition("OLD.state <> 'approved' AND NEW.state = 'approved'"),
    func="""
        IF NOT coalesce((SELECT bool_and(s.state = 'approved' AND approvals_counting(s.id) >= s.quorum)
                           FROM approvals_requeststage s
                          WHERE s.request_id = NEW.id AND s.revision = NEW.revision), FALSE) THEN
            RAISE EXCEPTION 'a request is approved when all of its stages are';
        END IF;
        IF EXISTS (SELECT 1 FROM approvals_policystage p
                    WHERE p.policy_id = NEW.policy_id AND (p.min_tier IS NULL OR NEW.tier >= p.min_tier)
                      AND (p.more_than_days IS NULL OR NEW.days > p.more_than_days)
                      AND (p.more_than_people IS NULL OR NEW.people > p.more_than_people)
                      AND (p.effects = '{}' OR NEW.effect = ANY(p.effects)) AND NOT EXISTS (
                          SELECT 1 FROM approvals_requeststage s WHERE s.request_id = NEW.id
                             AND s.revision = NEW.revision AND s.name = p.name AND s.quorum >= p.quorum)) THEN
            RAISE EXCEPTION 'a request is approved when it passed every stage of its policy';
        END IF;
        RETURN NEW;
    """,
)

STAGE_FIXED = pgtrigger.Trigger(
    name="request_stage_quorum",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
        IF (OLD.request_id, OLD.revision, OLD.position, OLD.name, OLD.groups, OLD.permission, OLD.quorum, OLD.escalate_to,
            OLD.at_end, OLD.due_hours, OLD.business_hours)
           IS DISTINCT FROM (NEW.request_id, NEW.revision, NEW.position, NEW.name, NEW.groups, NEW.permission, NEW.quorum,
            NEW.escalate_to, NEW.at_end, NEW.due_hours, NEW.business_hours)
           OR NEW.due_at < OLD.due_at OR (OLD.due_at IS NOT NULL AND NEW.due_at IS NULL) THEN
            RAISE EXCEPTION 'a stage does not change once it was resolved, but for more time';
        END IF;
        IF OLD.due_at IS NULL AND NEW.due_at IS NOT NULL AND coalesce(NEW.due_at < statement_timestamp()
           + make_interval(hours => NEW.due_hours) - interval '1 minute', TRUE) THEN
            RAISE EXCEPTION 'a stage has the time that its policy gives it';
        END IF;
        IF NEW.escalated_at IS DISTINCT FROM OLD.escalated_at AND (OLD.escalated_at IS NOT NULL
           OR OLD.at_end <> 'escalate' OR OLD.due_at IS NULL OR statement_timestamp() < OLD.due_at) THEN
            RAISE EXCEPTION 'a stage escalates once, when it is overdue';
        END IF;
        IF NEW.state = 'open' AND OLD.state = 'waiting' AND EXISTS (
            SELECT 1 FROM approvals_requeststage s WHERE s.request_id = NEW.request_id AND s.revision = NEW.revision
               AND s.position < NEW.position AND s.state <> 'approved') THEN
            RAISE EXCEPTION 'a stage waits for its turn';
        END IF;
        IF NEW.state = 'approved' AND OLD.state <> 'approved' AND NEW.quorum > approvals_counting(NEW.id) THEN
            RAISE EXCEPTION 'a stage needs its quorum of votes';
        END IF;
        RETURN NEW;
    """,
)

STAGE_BEGINS = pgtrigger.Trigger(
    name="request_stage_begins",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func="""
        IF NEW.state NOT IN ('waiting', 'open') OR NEW.quorum < 1 OR NEW.escalated_at IS NOT NULL OR NOT EXISTS (
            SELECT 1 FROM approvals_request r
             WHERE r.id = NEW.request_id AND r.state = 'open' AND r.revision = NEW.revision) THEN
            RAISE EXCEPTION 'a stage begins undecided, in an open request';
        END IF;
        IF (NEW.state = 'open' AND NEW.position <> 1) OR NOT EXISTS (
            SELECT 1 FROM approvals_request r JOIN approvals_policystage p ON p.policy_id = r.policy_id
             WHERE r.id = NEW.request_id AND p.name = NEW.name AND p.groups = NEW.groups
               AND p.permission = NEW.permission AND p.quorum <= NEW.quorum AND p.escalate_to = NEW.escalate_to
               AND p.at_end = NEW.at_end AND p.due_hours IS NOT DISTINCT FROM NEW.due_hours
               AND p.business_hours = NEW.business_hours) THEN
            RAISE EXCEPTION 'a stage is one of its policy, and waits for its turn';
        END IF;
        RETURN NEW;
    """,
)

APPROVER_OF_OPEN_STAGE = pgtrigger.Trigger(
    name="stage_approver_open",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func="""
        IF NOT EXISTS (SELECT 1 FROM approvals_requeststage s JOIN approvals_request r ON r.id = s.request_id
                        WHERE s.id = NEW.stage_id AND s.state IN ('waiting', 'open') AND r.state = 'open')
           OR approvals_in_conflict(NEW.user_id, (SELECT s.request_id FROM approvals_requeststage s
                                                   WHERE s.id = NEW.stage_id)) THEN
            RAISE EXCEPTION 'somebody is named for an undecided stage, and never with a conflict';
        END IF;
        RETURN NEW;
    """,
)

DELEGATION_FIXED = pgtrigger.Trigger(
    name="delegation_fixed",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
        IF OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL OR
           (OLD.principal_id, OLD.delegate_id, OLD.starts_at, OLD.ends_at, OLD.reason)
           IS DISTINCT FROM (NEW.principal_id, NEW.delegate_id, NEW.starts_at, NEW.ends_at, NEW.reason) THEN
            RAISE EXCEPTION 'a delegation can only be revoked, once';
        END IF;
        IF NEW.revoked_at < statement_timestamp() - interval '1 minute' THEN
            RAISE EXCEPTION 'a delegation ends now, never in hindsight';
        END IF;
        RETURN NEW;
    """,
)

VOTE_SEPARATION_OF_DUTIES = pgtrigger.Trigger(
    name="vote_separation_of_duties",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    declare=[
        ("asked", "approvals_request%ROWTYPE"),
        ("stage", "approvals_requeststage%ROWTYPE"),
        ("principal", "bigint"),
    ],
    func="""
        SELECT * INTO asked FROM approvals_request WHERE id = NEW.request_id FOR UPDATE;
        SELECT * INTO stage FROM approvals_requeststage WHERE id = NEW.stage_id;
        principal := coalesce(NEW.on_behalf_of_id, NEW.approver_id);
        IF asked.state <> 'open' OR stage.request_id <> asked.id OR stage.state <> 'open'
           OR stage.revision <> asked.revision THEN
            RAISE EXCEPTION 'a vote counts only in an open stage of an open request';
        END IF;
        IF NEW.content_digest <> asked.content_digest OR NEW.revision <> asked.revision THEN
            RAISE EXCEPTION 'a vote is bound to the content that was asked about';
        END IF;
        IF NEW.approver_id = asked.requester_id THEN
            RAISE EXCEPTION 'nobody decides what they asked for';
        END IF;
        IF approvals_in_conflict(NEW.approver_id, asked.id) OR approvals_in_conflict(principal, asked.id) THEN
            RAISE EXCEPTION 'nobody decides with a conflict, nor for somebody with one';
        END IF;
        IF EXISTS (SELECT 1 FROM approvals_vote v WHERE v.request_id = asked.id AND v.revision = asked.revision
                      AND (v.approver_id IN (NEW.approver_id, principal)
                           OR v.on_behalf_of_id IN (NEW.approver_id, principal))) THEN
            RAISE EXCEPTION 'nobody decides twice in a request, not even through somebody else';
        END IF;
        PERFORM 1 FROM approvals_delegation d
          WHERE d.principal_id = NEW.on_behalf_of_id AND d.delegate_id = NEW.approver_id AND d.revoked_at IS NULL
            AND d.starts_at <= statement_timestamp() AND d.ends_at > statement_timestamp() FOR SHARE;
        IF NEW.on_behalf_of_id IS NOT NULL AND NOT FOUND THEN
            RAISE EXCEPTION 'nobody decides for somebody else without a delegation that runs';
        END IF;
        IF NEW.via <> '' AND (NEW.via = asked.requester_via OR EXISTS (
               SELECT 1 FROM approvals_vote v WHERE v.request_id = asked.id AND v.via = NEW.via))
           AND EXISTS (SELECT 1 FROM accounts_user u WHERE u.id = NEW.approver_id AND NOT u.is_demo) THEN
            RAISE EXCEPTION 'one operating-system user does not stand on both sides of a request';
        END IF;
        IF NOT EXISTS (SELECT 1 FROM accounts_user u WHERE u.id = NEW.approver_id AND u.is_active)
           OR approvals_administers(NEW.approver_id) OR NOT approvals_has_right(principal, stage.id) THEN
            RAISE EXCEPTION 'a vote counts only from an active account that may decide this stage';
        END IF;
        RETURN NEW;
    """,
)
