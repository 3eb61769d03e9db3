"""``preview``: the compiled statement against one written by hand that yields the same figures."""

from __future__ import annotations

from typing import Any

from django.db import connection

from bench.measure import Result, seconds
from governance.directives.models import Directive
from governance.enforcement import candidates, previews

REFERENCE = "US-2026-06-12"

# By hand, for this rule and this catalog: the same figures, the set's digest included.
_HAND = """
WITH person AS MATERIALIZED (
    SELECT p.id, p.kind, p.department, p.org_id, p.location_country,
           NOT (p.citizenships && ARRAY['US']) AS covered,
           p.status IN ('active', 'on_leave') AS everyone,
           p.status IN ('active', 'on_leave') AND (
               (p.kind IN ('employee', 'contractor') AND p.department IN ('Research', 'Trust and Safety'))
               OR (o.type IN ('government', 'partner') AND o.vetting_status = 'vetted'
                   AND (o.vetting_expires IS NULL OR o.vetting_expires >= (now() AT TIME ZONE 'UTC')::date))) AS hardening,
           p.status IN ('active', 'on_leave') AND p.kind IN ('employee', 'contractor')
               AND p.department = 'Research' AS research,
           w.person_id IS NOT NULL AS waived
      FROM people_person p LEFT JOIN people_organisation o ON o.id = p.org_id
      LEFT JOIN people_heldperson h ON h.person_id = p.id
      LEFT JOIN (SELECT DISTINCT person_id FROM waivers_waiver WHERE ends_at > now()) w ON w.person_id = p.id
     WHERE p.status <> 'departed'),
counted AS (
    SELECT *, CASE WHEN covered IS NOT FALSE AND NOT waived THEN
                2 * (everyone IS TRUE)::int + 4 * (hardening IS TRUE)::int + (research IS TRUE)::int ELSE 0 END AS lost
      FROM person)
SELECT (SELECT encode(sha256(convert_to(string_agg(CASE WHEN covered IS NULL THEN id || '?' ELSE id END, ',' ORDER BY id),
                                        'UTF8')), 'hex') FROM person WHERE covered IS NOT FALSE),
       grouping(kind, department, org_id, location_country), kind, department, org_id, location_country,
       sum(n), sum(n) FILTER (WHERE covered), sum(n) FILTER (WHERE covered IS NULL), sum(n) FILTER (WHERE lost > 0),
       sum(n * lost), sum(n) FILTER (WHERE waived)
  FROM (SELECT kind, department, org_id, location_country, covered, lost, waived, count(*) AS n
          FROM counted GROUP BY kind, department, org_id, location_country, covered, lost, waived) c
 GROUP BY GROUPING SETS ((), (kind), (department), (org_id), (location_country))
"""


def _hand() -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(_HAND)
        rows = cursor.fetchall()
    return next(row for row in rows if row[1] == 0b1111)


def measure(samples: int) -> list[Result]:
    version = Directive.objects.get(reference=REFERENCE).versions.order_by("number").first()
    assert version is not None
    question = candidates.of_version(version)
    ours, hand = previews.preview_of(question), _hand()
    figures = (ours.population, ours.covered, ours.unknown, ours.lose_access, ours.decisions_flipped)
    assert figures == tuple(int(value or 0) for value in hand[6:11]), (figures, hand)
    _hand()
    pairs = [(seconds(lambda: previews.preview_of(question)), seconds(_hand)) for _ in range(samples)]
    return [
        Result(
            "preview", "s (lower is better)", [a for a, _ in pairs], [b for _, b in pairs],
            "hand-written SQL with the same figures",
        )
    ]  # fmt: skip
