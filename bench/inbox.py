"""``page_inbox_p95``: an approver's inbox among ten thousand open requests and two hundred approvers, and among fifty requests."""

from __future__ import annotations

import statistics
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.measure import Result, seconds
from governance.accounts.models import User

MANY, FEW, APPROVERS = 10_000, 50, 200
_PAGES = 20  # of each in a sample: a sample's value is their 95th percentile
_NEWEST = "(SELECT max(id) FROM approvals_request)"

# Exceptions as the services would open them, in four statements: who asked is one of a thousand accounts, each is for a person.
_ACCOUNTS = """
WITH made AS (
    INSERT INTO accounts_user (username, full_name, email, password, is_active, is_superuser, is_demo, theme, date_joined)
    SELECT 'bench-' || n, 'Bench ' || n, 'bench-' || n || '@bench.example', '!', TRUE, FALSE, FALSE, '', now()
      FROM generate_series(1, %s) n RETURNING id, username)
INSERT INTO accounts_user_groups (user_id, group_id)
SELECT made.id, g.id FROM made
  JOIN auth_group g ON g.name = (ARRAY['trust-and-safety lead', 'export-control counsel', 'executive'])
                                [1 + substring(made.username FROM 7)::int %% 3]
 WHERE substring(made.username FROM 7)::int <= %s
"""
_REQUESTS = """
INSERT INTO approvals_request (kind, subject, summary, content_digest, policy_id, requester_id, requester_via, reason, state,
    opened_at, revision, tier, days, people, effect)
SELECT 'exception', 'bench:' || n, 'A person: Fable 5 general use, 10 days', repeat('d', 64), p.id, u.id, '', '', 'open',
       now() - make_interval(secs => n), 1, 1, 10, 0, ''
  FROM generate_series(1, %s) n JOIN approvals_approvalpolicy p ON p.kind = 'exception' AND p.active
  JOIN accounts_user u ON u.username = 'bench-' || (201 + n %% 800)
"""
_STAGES = """
INSERT INTO approvals_requeststage (request_id, position, name, revision, groups, permission, escalate_to, quorum, business_hours,
    at_end, state, due_hours, opened_at, due_at)
SELECT r.id, row_number() OVER (PARTITION BY r.id ORDER BY s.position), s.name, 1, s.groups, s.permission, s.escalate_to, s.quorum,
       s.business_hours, s.at_end, CASE WHEN s.position = 1 THEN 'open' ELSE 'waiting' END, s.due_hours,
       CASE WHEN s.position = 1 THEN r.opened_at END, CASE WHEN s.position = 1 THEN r.opened_at + make_interval(hours => s.due_hours) END
  FROM approvals_request r JOIN approvals_policystage s ON s.policy_id = r.policy_id AND s.min_tier IS NULL
 WHERE r.subject LIKE 'bench:%%'
"""
_CONFLICTS = """
INSERT INTO approvals_conflict (request_id, person_id, reason)
SELECT r.id, p.id, 'The exception is for you.' FROM approvals_request r
  JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM people_person LIMIT 10000) p ON p.n = 1 + r.id %% 10000
 WHERE r.subject LIKE 'bench:%%'
"""


@contextmanager
def _open_requests(number: int) -> Any:
    """So many open requests, for as long as it takes to look at them: nothing of it stays."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_ACCOUNTS, [1_000, APPROVERS])
            cursor.execute(_REQUESTS, [number])
            cursor.execute(_STAGES, [])
            cursor.execute(_CONFLICTS, [])
            for table in ("request", "requeststage", "conflict", "vote", "delegation", "stageapprover"):
                cursor.execute(f"ANALYZE approvals_{table}")
            cursor.execute("ANALYZE accounts_user, accounts_user_groups")
        yield
        transaction.set_rollback(True)


def _approver() -> Client:
    """The first lead among the approvers, with a delegation of the demo's lead to go by, too."""
    client = Client()
    client.force_login(User.objects.get(username="bench-3"), backend="django.contrib.auth.backends.ModelBackend")
    return client


def _page_times(client: Client) -> list[float]:
    times = []
    for _ in range(_PAGES + 3):
        times.append(seconds(lambda: _look(client)) * 1000)
    return times[3:]


def _look(client: Client) -> None:
    assert client.get("/approvals/").status_code == 200


def _questions(client: Client) -> int:
    with CaptureQueriesContext(connection) as captured:
        _look(client)
    return len(captured)


def measure(samples: int) -> list[Result]:
    ours, reference, counts = [], [], set()
    for _ in range(samples):
        for number, times in ((MANY, ours), (FEW, reference)):
            with _open_requests(number):
                client = _approver()
                found = _page_times(client)
                counts.add(_questions(client))
                times.append(statistics.quantiles(found, n=20)[-1])
    assert len(counts) == 1, f"the page asks as many questions however many requests are open: {counts}"
    return [
        Result(
            "page_inbox_p95", "ms (lower is better)", ours, reference,
            f"{MANY:,} open requests and {APPROVERS} approvers, against {FEW} requests; {_PAGES} pages a sample, "
            f"{counts.pop()} queries each",
        )
    ]  # fmt: skip
