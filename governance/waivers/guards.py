"""What the database itself refuses about exceptions and waivers, whatever writes the row.

A request says what was asked for and does not change; it is approved only where its approval is; a waiver gives what its request
asked for, no longer and no more.
"""

from __future__ import annotations

import pgtrigger


def not_emptied(name: str) -> pgtrigger.Trigger:
    """Row triggers do not see TRUNCATE; this refuses it."""
    return pgtrigger.Trigger(
        name=f"{name}_no_truncate",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func="RAISE EXCEPTION 'exceptions, waivers, licences and grants are kept';",
    )


EXCEPTION_BEGINS_OPEN = pgtrigger.Trigger(
    name="exception_begins_open",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    condition=pgtrigger.Condition("NEW.state <> 'open' OR NEW.revision <> 1"),
    func="RAISE EXCEPTION 'an exception begins open';",
)

# Beneficiary and filer are two people, whatever writes the row.
EXCEPTION_FOR_SOMEBODY_ELSE = pgtrigger.Trigger(
    name="exception_for_somebody_else",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func="""
        IF EXISTS (SELECT 1 FROM accounts_user u JOIN people_person p ON lower(p.email) = lower(u.email)
                    WHERE u.id = NEW.filer_id AND p.id = NEW.person_id) THEN
            RAISE EXCEPTION 'nobody files an exception for themselves';
        END IF;
        RETURN NEW;
    """,
)

DRAFT_FOR_SOMEBODY_ELSE = pgtrigger.Trigger(
    name="draft_for_somebody_else",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    condition=pgtrigger.Condition("NEW.author_id IS NOT NULL AND NEW.asked_by_id IS NOT NULL"),
    func="""
        IF EXISTS (SELECT 1 FROM accounts_user u JOIN people_person p ON lower(p.email) = lower(u.email)
                    WHERE u.id = NEW.author_id AND p.id = NEW.asked_by_id) THEN
            RAISE EXCEPTION 'nobody completes what they asked for themselves';
        END IF;
        RETURN NEW;
    """,
)

# Two things come later: an edit while it is open, which follows a new revision of its approval on which nobody has decided
# yet; and the licence for which an approved exception waited.
EXCEPTION_FIXED = pgtrigger.Trigger(
    name="exception_fixed",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    declare=[("edited", "boolean")],
    func="""
        IF (OLD.directive_id, OLD.version_id, OLD.person_id, OLD.filer_id, OLD.filed_at)
           IS DISTINCT FROM (NEW.directive_id, NEW.version_id, NEW.person_id, NEW.filer_id, NEW.filed_at) THEN
            RAISE EXCEPTION 'what an exception asks for does not change';
        END IF;
        edited := NEW.revision <> OLD.revision;
        IF edited AND NOT (
            OLD.state = 'open' AND NEW.state = 'open' AND NEW.revision = OLD.revision + 1 AND NEW.digest <> OLD.digest
            AND EXISTS (SELECT 1 FROM approvals_request a
                         WHERE a.subject = 'exception:' || NEW.id AND a.state = 'open' AND a.revision = NEW.revision
                           AND a.content_digest = NEW.digest
                           AND NOT EXISTS (SELECT 1 FROM approvals_vote v
                                            WHERE v.request_id = a.id AND v.revision = a.revision))) THEN
            RAISE EXCEPTION 'an exception is edited only while it is open, and every decision on it is void then';
        END IF;
        IF NOT edited AND (OLD.days, OLD.reason, OLD.mitigation, OLD.digest)
           IS DISTINCT FROM (NEW.days, NEW.reason, NEW.mitigation, NEW.digest) THEN
            RAISE EXCEPTION 'what an exception asks for changes only by an edit, which voids every decision';
        END IF;
        IF NEW.licence_id IS DISTINCT FROM OLD.licence_id AND NOT edited
           AND NOT (OLD.licence_id IS NULL AND OLD.state = 'waiting' AND NEW.state = 'approved') THEN
            RAISE EXCEPTION 'the licence of an exception changes only when it opens after waiting for one';
        END IF;
        RETURN NEW;
    """,
)

EXCEPTION_APPROVED = pgtrigger.Trigger(
    name="exception_approved",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    condition=pgtrigger.Condition("NEW.state IN ('approved', 'waiting') AND OLD.state IS DISTINCT FROM NEW.state"),
    func="""
        IF NOT EXISTS (SELECT 1 FROM approvals_request a
                        WHERE a.subject = 'exception:' || NEW.id AND a.state = 'approved' AND a.kind LIKE 'exception%'
                          AND a.content_digest = NEW.digest AND a.requester_id = NEW.filer_id AND EXISTS (
                              SELECT 1 FROM approvals_conflict c
                               WHERE c.request_id = a.id AND c.person_id = NEW.person_id)) THEN
            RAISE EXCEPTION 'an exception is approved by its approval only';
        END IF;
        RETURN NEW;
    """,
)

# In an edit the approval goes ahead to its next revision, then what is asked for changes, then the exception follows.
_BETWEEN_REVISIONS = """
        IF EXISTS (SELECT 1 FROM approvals_request a WHERE a.subject = 'exception:' || {row}.{request})
           AND NOT EXISTS (
            SELECT 1 FROM approvals_request a JOIN waivers_exceptionrequest e ON a.subject = 'exception:' || e.id
             WHERE e.id = {row}.{request} AND e.state = 'open' AND a.state = 'open'
               AND a.revision = e.revision + 1 AND a.content_digest <> e.digest
               AND NOT EXISTS (SELECT 1 FROM approvals_vote v WHERE v.request_id = a.id AND v.revision = a.revision)) THEN
            RAISE EXCEPTION 'what an exception asks for changes only by an edit, which voids every decision';
        END IF;
        RETURN {row};
"""


def part_of_content(name: str, request: str) -> list[pgtrigger.Trigger]:
    """Rows that belong to what an exception asks for come and go only before its approval is open, or in an edit."""
    return [
        pgtrigger.Trigger(
            name=f"{name}_{when}",
            when=pgtrigger.Before,
            operation=operation,
            func=_BETWEEN_REVISIONS.format(row=row, request=request),
        )
        for when, operation, row in (("fixed", pgtrigger.Insert, "NEW"), ("kept", pgtrigger.Delete, "OLD"))
    ]


WAIVER_FIXED = pgtrigger.Trigger(
    name="waiver_fixed",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
        IF (OLD.person_id, OLD.directive_id, OLD.request_id, OLD.licence_id, OLD.starts_at)
           IS DISTINCT FROM (NEW.person_id, NEW.directive_id, NEW.request_id, NEW.licence_id, NEW.starts_at)
           OR NEW.ends_at > OLD.ends_at OR (OLD.ended_at IS NOT NULL AND NEW.ended_at IS NULL) THEN
            RAISE EXCEPTION 'a waiver can only be ended; a longer one needs a new approval';
        END IF;
        RETURN NEW;
    """,
)

WAIVER_OF_ITS_REQUEST = pgtrigger.Trigger(
    name="waiver_of_its_request",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func="""
        IF NOT EXISTS (SELECT 1 FROM waivers_exceptionrequest e
                        WHERE e.id = NEW.request_id AND e.state = 'approved' AND e.person_id = NEW.person_id
                          AND e.directive_id = NEW.directive_id AND e.licence_id IS NOT DISTINCT FROM NEW.licence_id
                          AND NEW.ends_at <= NEW.starts_at + make_interval(days => e.days)) THEN
            RAISE EXCEPTION 'a waiver gives what its approved request asked for';
        END IF;
        RETURN NEW;
    """,
)

# "At most five people at a time" holds even for two approvals in the same instant, or a shell session:
# the licence row is locked, then the people whose waivers under it overlap this one are counted.
LICENCE_NOT_OVERDRAWN = pgtrigger.Trigger(
    name="waiver_licence_not_overdrawn",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    declare=[("permission", "waivers_licence%ROWTYPE"), ("drawn", "integer")],
    condition=pgtrigger.Condition("NEW.licence_id IS NOT NULL"),
    func="""
        SELECT * INTO permission FROM waivers_licence WHERE id = NEW.licence_id FOR UPDATE;
        IF permission.directive_id <> NEW.directive_id THEN
            RAISE EXCEPTION 'a licence serves its own directive only';
        END IF;
        IF NEW.starts_at < permission.valid_from THEN
            RAISE EXCEPTION 'a waiver cannot begin before its licence';
        END IF;
        IF NEW.ends_at > permission.valid_until THEN
            RAISE EXCEPTION 'a waiver cannot outlast its licence';
        END IF;
        SELECT count(DISTINCT person_id) INTO drawn FROM waivers_waiver
         WHERE licence_id = NEW.licence_id AND person_id <> NEW.person_id
           AND coalesce(ended_at, ends_at) > NEW.starts_at AND starts_at < NEW.ends_at;
        IF drawn >= permission.people THEN
            RAISE EXCEPTION 'the licence is drawn in full';
        END IF;
        RETURN NEW;
    """,
)

CAPABILITY_WAS_ASKED_FOR = pgtrigger.Trigger(
    name="waiver_capability_was_asked_for",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func="""
        IF NOT EXISTS (SELECT 1 FROM waivers_waiver w
                         JOIN waivers_exceptionrequest_model_capabilities m ON m.exceptionrequest_id = w.request_id
                        WHERE w.id = NEW.waiver_id AND m.modelcapability_id = NEW.model_capability_id) THEN
            RAISE EXCEPTION 'a waiver gives what its approved request asked for';
        END IF;
        IF EXISTS (SELECT 1 FROM waivers_waiver w
                    WHERE w.id = NEW.waiver_id AND w.licence_id IS NOT NULL AND NOT EXISTS (
                          SELECT 1 FROM waivers_licencescope s JOIN catalog_modelcapability i ON i.model_id = s.model_id
                           WHERE s.licence_id = w.licence_id AND i.id = NEW.model_capability_id
                             AND (s.capability_id IS NULL OR s.capability_id = i.capability_id))) THEN
            RAISE EXCEPTION 'a waiver gives nothing that its licence lacks';
        END IF;
        RETURN NEW;
    """,
)
