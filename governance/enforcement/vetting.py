"""Vetting that ended by its date. Decisions read the date themselves; restrictions follow within a minute.

An expiry is *due* until somebody's restrictions were judged by it: which ones were is kept (``FollowedExpiry``), so that none is
missed, however long the sweep stood still, and none is judged again every few seconds.
"""

from __future__ import annotations

from django.db import connection

from governance.enforcement.policy import DirectiveRule, Policy
from governance.rules.language import attributes_of

DUE = """(SELECT x.id, x.expires FROM (
      SELECT id, vetting_expires AS expires FROM people_organisation WHERE vetting_status = 'vetted'
      UNION SELECT organisation_id, vetting_expires FROM people_heldorganisation WHERE vetting_status = 'vetted') x
    WHERE x.expires < (statement_timestamp() AT TIME ZONE 'UTC')::date
      AND NOT EXISTS (SELECT 1 FROM enforcement_followedexpiry f WHERE f.organisation_id = x.id AND f.expires = x.expires))"""
"""Organisations, as on record or held, whose vetting ended and was not followed yet."""


def people_of(organisations: str) -> str:
    """The ids of people who have one of ``organisations(id)``, on record or in a held state."""
    return f"""(SELECT p.id FROM people_person p WHERE p.org_id IN (SELECT id FROM {organisations} o)
      UNION SELECT h.person_id FROM people_heldperson h WHERE h.org_id IN (SELECT id FROM {organisations} o))"""


def reads_vetting(rule: DirectiveRule) -> bool:
    return "org.vetting" in attributes_of(rule.rule.tree)


def is_due(policy: Policy) -> bool:
    """Whether a directive in force asks for vetting, and some ended that its restrictions did not follow."""
    if not any(reads_vetting(rule) for rule in policy.directives):
        return False
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {DUE} due)")
        return bool(cursor.fetchone()[0])
