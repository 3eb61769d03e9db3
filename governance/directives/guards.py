"""What the database itself refuses about a directive's life, whatever writes the row: nobody loosens one alone.

The services check all of this too and say it kindly. An approval serves once: the row that it moved keeps its number.
"""

from __future__ import annotations

import pgtrigger

# What a suspension, resumption or rescission was asked about (``lifecycle``: the canonical JSON of act, reference, version).
_DIGEST_OF_ACT = """encode(sha256(convert_to('{"act":' || to_json(act) || ',"reference":' || to_json(OLD.reference)
                || ',"version":' || to_json(version.digest) || '}', 'UTF8')), 'hex')"""

# Suspended, rescinded or active again by the approval of just that; rescinded without one only by a version in force that
# replaces it; expired by the clock; and active for the first time with a version that took force.
DIRECTIVE_SECOND_PERSON = pgtrigger.Trigger(
    name="directive_second_person",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    declare=[("act", "text"), ("version", "directives_directiveversion%ROWTYPE")],
    func=f"""
        IF NEW.reference <> OLD.reference THEN
            RAISE EXCEPTION 'a directive keeps its reference: its approvals go by it';
        END IF;
        SELECT * INTO version FROM directives_directiveversion WHERE id = OLD.version_in_force_id;
        IF NEW.state = 'expired' AND OLD.state <> 'expired'
           AND NOT coalesce(version.expires_at <= statement_timestamp(), FALSE) THEN
            RAISE EXCEPTION 'a directive expires when its term has ended';
        END IF;
        act := CASE WHEN NEW.state = OLD.state THEN NULL WHEN NEW.state = 'suspended' THEN 'suspension'
                    WHEN NEW.state = 'active' AND OLD.state = 'suspended' THEN 'resumption'
                    WHEN NEW.state = 'rescinded' THEN 'rescission' END;
        IF act = 'rescission' AND NEW.moved_by_id IS NOT DISTINCT FROM OLD.moved_by_id AND EXISTS (
            SELECT 1 FROM directives_directiveversion v WHERE v.replaces_id = OLD.id AND v.state = 'in_force') THEN
            act := NULL;
        END IF;
        IF act IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM approvals_request r
             WHERE r.id = NEW.moved_by_id AND r.id > coalesce(OLD.moved_by_id, 0) AND r.state = 'approved'
               AND r.subject = 'directive:' || OLD.reference AND r.kind = 'directive.' || act
               AND r.content_digest = {_DIGEST_OF_ACT}) THEN
            RAISE EXCEPTION 'a directive is suspended, resumed or rescinded by an approval of just that, which serves once';
        END IF;
        IF act IS NULL AND NEW.moved_by_id IS DISTINCT FROM OLD.moved_by_id THEN
            RAISE EXCEPTION 'a directive keeps the approval that it was moved by';
        END IF;
        IF NEW.version_in_force_id IS DISTINCT FROM OLD.version_in_force_id THEN
            SELECT * INTO version FROM directives_directiveversion WHERE id = NEW.version_in_force_id;
            IF coalesce(version.directive_id <> NEW.id OR version.state <> 'in_force', TRUE) THEN
                RAISE EXCEPTION 'in force is the version of a directive that took force';
            END IF;
        ELSIF NEW.state = 'active' AND OLD.state NOT IN ('active', 'suspended') THEN
            RAISE EXCEPTION 'a directive becomes active with a version that takes force';
        END IF;
        RETURN NEW;
    """,
)

# An emergency is owed a confirmation until a second person gave it; its time is not put off, and it is not let off.
EMERGENCY_OWED = pgtrigger.Trigger(
    name="emergency_owed",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    declare=[("version", "directives_directiveversion%ROWTYPE")],
    func="""
        SELECT * INTO version FROM directives_directiveversion WHERE id = NEW.version_in_force_id;
        IF NEW.version_in_force_id IS DISTINCT FROM OLD.version_in_force_id THEN
            IF version.emergency_reason <> '' AND coalesce(
                NEW.confirmed_at IS NOT NULL OR NEW.confirm_by > statement_timestamp() + interval '24 hours', TRUE) THEN
                RAISE EXCEPTION 'an emergency is to be confirmed within 24 hours';
            END IF;
            RETURN NEW;
        END IF;
        IF NEW.confirmed_at IS DISTINCT FROM OLD.confirmed_at AND (NEW.confirmed_at IS NULL OR NOT EXISTS (
            SELECT 1 FROM approvals_request r
             WHERE r.subject = 'directive:' || NEW.reference AND r.kind = 'directive.confirmation'
               AND r.state = 'approved' AND r.content_digest = version.digest)) THEN
            RAISE EXCEPTION 'an emergency is confirmed by the approval of a second person';
        END IF;
        IF NEW.confirm_by IS DISTINCT FROM OLD.confirm_by AND NOT coalesce(NEW.confirm_by < OLD.confirm_by, FALSE)
           AND NOT (NEW.confirm_by IS NULL AND NEW.state IN ('rescinded', 'expired')) THEN
            RAISE EXCEPTION 'the confirmation of an emergency is not put off';
        END IF;
        RETURN NEW;
    """,
)

# Until the deadline unknown people pass: more time for them is a loosening. It stands still while suspended.
VERIFY_CLOCK = pgtrigger.Trigger(
    name="verify_clock",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    condition=pgtrigger.Condition(
        "((OLD.verify_deadline, OLD.verify_remaining, OLD.version_in_force_id, OLD.state) IS DISTINCT FROM "
        "(NEW.verify_deadline, NEW.verify_remaining, NEW.version_in_force_id, NEW.state))"
    ),
    declare=[("until", "timestamptz")],
    func="""
        until := coalesce(OLD.verify_deadline, statement_timestamp() + OLD.verify_remaining);
        IF NEW.version_in_force_id IS DISTINCT FROM OLD.version_in_force_id THEN
            SELECT greatest(until, statement_timestamp() + make_interval(hours => v.on_unknown_hours)) INTO until
              FROM directives_directiveversion v WHERE v.id = NEW.version_in_force_id AND v.on_unknown_then = 'verify';
        END IF;
        IF coalesce(NEW.verify_deadline > until, NEW.verify_deadline IS NOT NULL AND until IS NULL)
           OR coalesce(statement_timestamp() + NEW.verify_remaining
                       > greatest(until, statement_timestamp()) + interval '1 minute',
                       NEW.verify_remaining IS NOT NULL AND until IS NULL)
           OR NEW.state = 'active' AND NEW.verify_deadline IS NULL AND until IS NOT NULL THEN
            RAISE EXCEPTION 'unknown people have the time that the version in force gives them, and no more';
        END IF;
        RETURN NEW;
    """,
)

# Approved by an approved request about what its preview shows, none of whose votes is by a writer or the submitter, and which
# no other version had; in force without approval only as an emergency, which has a reason and somebody who answers for it.
VERSION_SECOND_PERSON = pgtrigger.Trigger(
    name="version_second_person",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    condition=pgtrigger.Condition("OLD.state <> NEW.state AND NEW.state IN ('approved', 'in_force')"),
    func="""
        IF NEW.state = 'in_force' AND OLD.state <> 'approved'
           AND (NEW.emergency_reason = '' OR NEW.activated_by_id IS NULL) THEN
            RAISE EXCEPTION 'a version takes force when it is approved, or in an emergency with its reason';
        END IF;
        IF NEW.state = 'approved' AND NOT EXISTS (
            SELECT 1 FROM approvals_request r
              JOIN directives_directive d ON d.id = NEW.directive_id AND r.subject = 'directive:' || d.reference
              JOIN enforcement_storedpreview p ON p.version_id = NEW.id AND p.fingerprint = r.content_digest
             WHERE r.id = NEW.approval_id AND r.state = 'approved' AND r.opened_at >= NEW.submitted_at
               AND (r.kind = 'directive.activation.counsel' OR r.kind = 'directive.activation'
                    AND NOT (NEW.on_unknown_then <> 'deny' AND d.comply_immediately))
               AND NOT EXISTS (SELECT 1 FROM approvals_vote v WHERE v.request_id = r.id
                               AND (v.approver_id = ANY(NEW.writers) OR v.approver_id = NEW.submitter_id))) THEN
            RAISE EXCEPTION 'a version is approved by somebody who neither wrote nor submitted it';
        END IF;
        RETURN NEW;
    """,
)

VERSION_KEEPS_APPROVAL = pgtrigger.Trigger(
    name="version_keeps_approval",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    condition=pgtrigger.Condition(
        "OLD.approval_id IS DISTINCT FROM NEW.approval_id AND NOT (OLD.state = 'submitted' AND NEW.state = 'approved')"
    ),
    func="RAISE EXCEPTION 'a version keeps the approval that it was approved by';",
)
