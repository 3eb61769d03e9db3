"""Inventing people in bulk, for trials and benchmarks: one statement, whatever their number."""

from __future__ import annotations

from django.db import connection

# Shares are rough and deliberate: mostly customers, some with two citizenships, about one in twenty unknown, so that
# every branch of a rule has somebody. Everything follows from a hash of seed and number: a seed always gives the same people.
_PEOPLE = """
WITH numbered AS (
    SELECT n, 'g' || lpad(n::text, 9, '0') AS id, (hashint8extended(n, %(seed)s) & 1048575) AS h1,
           (hashint8extended(n, %(seed)s + 1) & 1048575) AS h2, (hashint8extended(n, %(seed)s + 2) & 1048575) AS h3
      FROM generate_series(%(first)s::bigint, %(first)s::bigint + %(number)s - 1) n),
shaped AS (
    SELECT *, (ARRAY['US','US','US','US','US','US','US','IN','CN','MX','GB','CA','DE','JP','BR','FR','NG','KR','UA','VN'])
                [1 + h1 %% 20] AS country,
           CASE WHEN h2 %% 100 < 4 THEN 'employee' WHEN h2 %% 100 < 6 THEN 'contractor' WHEN h2 %% 100 < 9 THEN 'partner'
                WHEN h2 %% 100 < 10 THEN 'government' ELSE 'customer' END AS kind
      FROM numbered)
INSERT INTO people_person (id, kind, status, given_name, family_name, email, org_id, department, title, manager_id,
                           citizenships, permanent_residences, protected_status, residence_country, location_country,
                           start_date, updated_at)
SELECT id, kind,
       CASE WHEN h3 %% 100 < 2 THEN 'departed' WHEN h3 %% 100 < 4 THEN 'on_leave' ELSE 'active' END,
       (ARRAY['Ada','Ben','Chidi','Dana','Emre','Fay','Goran','Hema','Iris','Jun'])[1 + h3 %% 10],
       (ARRAY['Abel','Brandt','Costa','Diaz','Ekwueme','Fischer','Gupta','Hansen','Ito','Jansen'])[1 + h1 %% 10] || ' ' || n,
       id || '@people.example',
       CASE kind WHEN 'customer' THEN 'gen-customers' WHEN 'government' THEN 'gen-agency' WHEN 'partner' THEN 'gen-partner'
            ELSE 'gen-company' END,
       CASE WHEN kind IN ('employee', 'contractor')
            THEN (ARRAY['Research','Engineering','Trust and Safety','Legal','Go-to-market','People'])[1 + h1 %% 6] END,
       '', NULL,
       CASE WHEN h2 %% 20 = 0 THEN NULL WHEN h2 %% 97 = 1 THEN ARRAY[]::text[]
            WHEN h3 %% 12 = 0 AND country <> 'US' THEN ARRAY[country, 'US'] ELSE ARRAY[country] END,
       CASE WHEN h3 %% 20 = 0 THEN NULL WHEN country <> 'US' AND h3 %% 5 = 1 THEN ARRAY['US'] ELSE ARRAY[]::text[] END,
       CASE WHEN h3 %% 25 = 0 THEN NULL ELSE country <> 'US' AND h1 %% 50 = 0 END,
       CASE WHEN h1 %% 25 = 0 THEN NULL WHEN h2 %% 3 = 0 THEN 'US' ELSE country END,
       CASE WHEN h1 %% 30 = 0 THEN NULL WHEN h2 %% 4 = 0 THEN 'US' ELSE country END,
       date '2015-01-01' + (h2 %% 4000)::int, statement_timestamp()
  FROM shaped
"""
_ORGANISATIONS = """
INSERT INTO people_organisation (id, name, type, country, vetting_status, vetting_expires) VALUES
    ('gen-company', 'Generated company', 'company', 'US', 'vetted', '2030-12-31'),
    ('gen-partner', 'Generated partner', 'partner', 'US', 'vetted', '2030-12-31'),
    ('gen-agency', 'Generated agency', 'government', 'US', 'vetted', '2030-12-31'),
    ('gen-customers', 'Generated customers', 'customer', 'US', 'none', NULL) ON CONFLICT DO NOTHING
"""


def generate(number: int, seed: int) -> tuple[int, str]:
    """Insert ``number`` invented people after those there are; returns how many and the first id."""
    with connection.cursor() as cursor:
        cursor.execute(_ORGANISATIONS)
        cursor.execute("SELECT coalesce(max(substr(id, 2)::bigint), 0) + 1 FROM people_person WHERE id ~ '^g[0-9]{9}$'")
        first = cursor.fetchone()[0]
        cursor.execute(_PEOPLE, {"number": number, "seed": seed, "first": first})
        return cursor.rowcount, f"g{first:09d}"
