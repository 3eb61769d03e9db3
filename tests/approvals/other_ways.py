"""Ways around separation of duties that are no decision: other acts, and raw SQL. Each asserts that it did not get through."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from governance.accounts import services as accounts
from governance.accounts.rights import EXECUTIVE, LEAD
from governance.approvals import services
from governance.approvals.models import Request
from governance.errors import NotFound, PermissionRefused
from governance.waivers.models import ExceptionRequest, Waiver
from tests.approvals.doors import client_of, state_of_everything, token_of
from tests.approvals.ways import ADMIN, act, approved, delegate, filed, give, of, policy, rescission, user
from tests.clock import Clock
from tests.conftest import REFERENCE

ESCALATING = {
    "name": "Lead", "position": 1, "groups": [LEAD], "due_hours": 4, "at_end": "escalate", "escalate_to": [EXECUTIVE],
}  # fmt: skip


def refused(statement: str, *params: Any, words: str) -> None:
    """The database refuses the statement, and says that it does so for this rule."""
    before = state_of_everything()
    with pytest.raises(DatabaseError, match=words), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement, params)
    assert state_of_everything() == before


# -- other acts --------------------------------------------------------------------------------------------------------


def without_csrf(clock: Clock, tmp_path: Path) -> None:
    asked = filed()
    client = client_of(user("idris"), enforce_csrf_checks=True)
    form = {"verdict": "approve", "seen": asked.content_digest}
    assert client.post(f"/approvals/{asked.pk}/vote", form).status_code == 403
    sent = {"verdict": "approve", "content_digest": asked.content_digest}
    answer = client.post(f"/api/v1/approvals/{asked.pk}/votes", sent, content_type="application/json")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]
    assert not asked.votes.exists()


def by_weak_token(clock: Clock, tmp_path: Path) -> None:
    asked = filed()
    sent = {"verdict": "approve", "content_digest": asked.content_digest}
    past = timezone.now() - timedelta(seconds=1)
    tokens = {
        token_of(user("idris"), reach="read"): 403, token_of(user("idris"), expires_at=past): 401,
        token_of(user("idris"), revoked_at=past): 401, "pcp_guessed": 401, "": 401,
    }  # fmt: skip
    for token, status in tokens.items():
        answer = Client().post(
            f"/api/v1/approvals/{asked.pk}/votes", sent, content_type="application/json",
            headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip
        assert answer.status_code == status, token
    assert not asked.votes.exists()


def withdrawn_by_another(clock: Clock, tmp_path: Path) -> None:
    asked, other = filed(), rescission()
    number = asked.subject.partition(":")[2]
    assert client_of(user("idris")).post(f"/exceptions/{number}/withdraw").status_code == 403
    bearer = {"Authorization": f"Bearer {token_of(user('idris'))}"}
    assert Client().post(f"/api/v1/exceptions/{number}/withdraw", headers=bearer).status_code == 403
    assert client_of(user("tomas")).post(f"/directives/{REFERENCE}/act", {"act": "withdraw"}).status_code == 403
    assert [Request.objects.get(pk=each.pk).state for each in (asked, other)] == ["open", "open"]


def own_roles(clock: Clock, tmp_path: Path) -> None:
    with pytest.raises(PermissionRefused, match="their own roles"):
        accounts.set_roles(actor=act("admin"), username="admin", roles=[LEAD])
    with pytest.raises(PermissionRefused):
        accounts.set_roles(actor=act("tomas"), username="tomas", roles=[LEAD])


def handed_over(clock: Clock, tmp_path: Path) -> None:
    """Nobody names themselves, a party or a party's delegate; nor does a party name anybody; nor at another's stage."""
    delegate("wei", "tomas")
    asked, other = filed(), rescission()
    stage = asked.stages.get(state="open").pk
    for to in ("idris", "hana", "wei", "tomas"):
        with pytest.raises(PermissionRefused):
            services.hand_over(actor=act("idris"), request=asked, stage_id=stage, to=user(to), reason="ill")
    give("hana", LEAD)
    with pytest.raises(PermissionRefused, match="You asked for it"):
        services.hand_over(actor=act("hana"), request=asked, stage_id=stage, to=user("lucia"), reason="ill")
    with pytest.raises(NotFound):
        services.hand_over(actor=act("idris"), request=other, stage_id=stage, to=user("lucia"), reason="ill")
    with pytest.raises(PermissionRefused, match="needs the right"):
        services.hand_over(actor=act("tomas"), request=asked, stage_id=stage, to=user("lucia"), reason="ill")


def role_lost_between_stages(clock: Clock, tmp_path: Path) -> None:
    asked = approved(filed(), "idris")
    user("idris").groups.clear()
    give("tomas", LEAD)
    approved(asked, "peter")
    assert asked.state == "open"
    assert [stage.state for stage in asked.stages.order_by("position")] == ["open", "waiting"]
    assert not Waiver.objects.exists()


def policy_changed_meanwhile(clock: Clock, tmp_path: Path) -> None:
    asked = filed()
    policy({"name": "One", "position": 1, "groups": [LEAD]})
    approved(asked, "idris")
    assert asked.state == "open"
    assert asked.stages.filter(state="open").get().name == "Export-control counsel"


def time_alone(clock: Clock, tmp_path: Path) -> None:
    policy(
        ESCALATING, {"name": "Refusing", "position": 2, "groups": [LEAD, EXECUTIVE], "due_hours": 1, "at_end": "refuse"}
    )
    asked = filed()
    assert services.overdue() == []
    services.pass_time(actor=ADMIN, request_id=asked.pk)
    assert asked.stages.get(position=1).escalated_at is None
    clock.pass_time(hours=1_000)
    services.pass_time(actor=ADMIN, request_id=asked.pk)
    asked.refresh_from_db()
    assert asked.state == "open"
    assert not Waiver.objects.exists()


def unseen(clock: Clock, tmp_path: Path) -> None:
    """What an account may not see is not there for it: neither the request nor the exception."""
    asked = filed()
    number = asked.subject.partition(":")[2]
    bearer = {"Authorization": f"Bearer {token_of(user('teo'))}"}
    addresses = (f"approvals/{asked.pk}", f"exceptions/{number}", "approvals/999999", "exceptions/999999")
    assert [Client().get(f"/api/v1/{each}", headers=bearer).status_code for each in addresses] == [404] * 4
    client = client_of(user("teo"))
    sent = {"verdict": "approve", "seen": asked.content_digest}
    assert client.post(f"/approvals/{asked.pk}/vote", sent).status_code == 404
    assert client.get(f"/exceptions/{number}/").status_code == 404


Acts = tuple[tuple[str, str, Callable[..., None]], ...]
ACTS: Acts = (
    ("A form or call is sent without its CSRF token", "Django's CSRF check; `api/people/access.py`", without_csrf),
    ("A personal token that reads only, has ended, was revoked or is made up", "`api/people/access.py`", by_weak_token),
    ("Somebody else takes a request back", "`requests.withdraw`, `withdraw_exception`", withdrawn_by_another),
    ("An administrator gives themselves a role", "`set_roles`", own_roles),
    ("A lead hands a stage to themselves, to a party or to a party's delegate, or a party hands it over",
     "`talk.hand_over`; for parties also the trigger `stage_approver_open`", handed_over),
    ("An approval counts on after its maker lost the role", "`votes._advance`; also `approvals_counting` in the triggers",
     role_lost_between_stages),
    ("The policy is made easier after the request was opened", "the stages of a request are frozen", policy_changed_meanwhile),
    ("Nobody decides until the time is over", "`time.pass_time` escalates or refuses, and grants nothing", time_alone),
    ("An account acts on what it may not see", "`queries.visible_to`, `exceptions_visible_to`", unseen),
)  # fmt: skip


# -- raw SQL -----------------------------------------------------------------------------------------------------------


def vote_changed(clock: Clock) -> None:
    approved(filed(), "idris")
    for change in ("verdict = 'reject'", "approver_id = 1", "stage_id = stage_id + 1", "content_digest = 'x'"):
        refused(f"UPDATE approvals_vote SET {change}", words="Cannot update or delete")
    refused("DELETE FROM approvals_vote", words="Cannot update or delete")


def stage_approved(clock: Clock) -> None:
    filed()
    refused("UPDATE approvals_requeststage SET state = 'approved' WHERE state = 'open'", words="quorum of votes")


def stage_eased(clock: Clock) -> None:
    filed()
    for change in (
        "quorum = 0", "groups = ARRAY['operator']", "permission = 'view_people'", "escalate_to = ARRAY['operator']",
        "at_end = 'refuse'", "position = 9", "name = 'x'", "due_hours = 0", "due_at = due_at - interval '1 second'",
        "revision = 2", "due_at = NULL",
    ):  # fmt: skip
        refused(f"UPDATE approvals_requeststage SET {change}", words="does not change once it was resolved")
    refused("DELETE FROM approvals_requeststage", words="Cannot delete")


def stage_out_of_turn(clock: Clock) -> None:
    filed()
    refused("UPDATE approvals_requeststage SET state = 'open' WHERE state = 'waiting'", words="waits for its turn")


def escalated_early(clock: Clock) -> None:
    policy(ESCALATING)
    filed()
    for moment in ("statement_timestamp()", "due_at", "due_at + interval '1 day'"):
        refused(
            f"UPDATE approvals_requeststage SET escalated_at = {moment}", words="escalates once, when it is overdue"
        )
    refused("UPDATE approvals_requeststage SET due_at = due_at - interval '1 hour'", words="but for more time")


def due_early(clock: Clock) -> None:
    give("maren", LEAD)
    policy({"name": "First", "position": 1, "groups": [LEAD]}, ESCALATING | {"position": 2})
    filed()
    early = "UPDATE approvals_requeststage SET due_at = statement_timestamp() WHERE position = 2"
    refused(early, words="the time that its policy gives it")


def request_approved(clock: Clock) -> None:
    filed()
    refused("UPDATE approvals_request SET state = 'approved' WHERE state = 'open'", words="all of its stages")


def request_changed(clock: Clock) -> None:
    asked = filed()
    for change in (
        "requester_id = requester_id + 1",
        "kind = 'x'",
        "subject = 'x'",
        "policy_id = 1",
        "opened_at = now()",
    ):
        refused(f"UPDATE approvals_request SET {change} WHERE id = %s", asked.pk, words="asked for does not change")
    for change in ("content_digest = 'x'", "tier = 9", "days = 99", "people = 9", "effect = 'x'", "revision = 3"):
        refused(f"UPDATE approvals_request SET {change} WHERE id = %s", asked.pk, words="only as a new revision")
    refused("DELETE FROM approvals_request", words="Cannot delete")


def conflict_lifted(clock: Clock) -> None:
    filed()
    refused("DELETE FROM approvals_conflict", words="Cannot update or delete")
    refused("UPDATE approvals_conflict SET user_id = 1, person_id = NULL", words="Cannot update or delete")


def delegation_changed(clock: Clock) -> None:
    delegate("hana", "tomas")
    for change in ("principal_id = 1", "ends_at = ends_at + interval '1 day'", "starts_at = now() - interval '1 day'"):
        refused(f"UPDATE approvals_delegation SET {change}, revoked_at = now()", words="can only be revoked, once")
    refused("UPDATE approvals_delegation SET revoked_at = now() - interval '1 day'", words="never in hindsight")
    refused("DELETE FROM approvals_delegation", words="Cannot delete")


def policy_eased(clock: Clock) -> None:
    refused("UPDATE approvals_policystage SET quorum = 1, groups = ARRAY['operator']", words="do not change")
    refused("DELETE FROM approvals_policystage", words="do not change|violates")
    refused("UPDATE approvals_approvalpolicy SET version = version + 1", words="does not change")
    refused("DELETE FROM approvals_approvalpolicy", words="Cannot delete")
    add = """INSERT INTO approvals_policystage (policy_id, position, name, groups, permission, relations, fallback, quorum,
        effects, business_hours, at_end, escalate_to)
        SELECT id, 9, 'Easy', ARRAY['operator'], '', '{}', '{}', 1, '{}', FALSE, 'wait', '{}' FROM approvals_approvalpolicy"""
    refused(add, words="do not change")


_NEW_REQUEST = """
INSERT INTO approvals_request (kind, subject, summary, content_digest, policy_id, requester_id, requester_via, reason, state,
    opened_at, revision, tier, days, people, effect)
SELECT {kind}, {subject}, 'x', {digest}, p.id, %s, '', '', {state}, statement_timestamp() + interval '{later}', 1, 1, 1, 0, ''
  FROM approvals_approvalpolicy p WHERE p.kind = {policy} AND p.active = {active} LIMIT 1
"""


def _new_request(
    kind: str = "exception", subject: str = "exception:1", digest: str = "x", state: str = "open", later: str = "0 hours",
    policy: str = "exception", active: bool = True,
) -> str:  # fmt: skip
    quoted = {"kind": kind, "subject": subject, "digest": digest, "state": state, "policy": policy}
    return _NEW_REQUEST.format(**{name: f"'{value}'" for name, value in quoted.items()}, later=later, active=active)


def request_forged(clock: Clock) -> None:
    policy({"name": "One", "position": 1, "groups": [LEAD]})
    by = user("tomas").pk
    refused(_new_request(state="approved"), by, words="begins open")
    refused(_new_request(later="1 day"), by, words="begins open, and now")
    refused(_new_request(policy="directive.activation"), by, words="policy that is in force for its kind")
    refused(_new_request(active=False), by, words="policy that is in force for its kind")


_NEW_STAGE = """
INSERT INTO approvals_requeststage (request_id, position, name, revision, groups, permission, escalate_to, quorum,
    business_hours, at_end, state) VALUES (%s, {position}, '{name}', 1, ARRAY['{group}'], '', '{{}}', 1, FALSE, 'wait', '{state}')
"""


def stage_forged(clock: Clock) -> None:
    asked = rescission()
    for changes in (
        {"state": "approved"}, {"position": 2, "state": "open"}, {"group": "operator"}, {"name": "Anybody"},
    ):  # fmt: skip
        values = {"position": 3, "name": "Second person", "group": LEAD, "state": "waiting"} | changes
        refused(_NEW_STAGE.format(**values), asked.pk, words="begins undecided|one of its policy")


def stages_left_out(clock: Clock) -> None:
    """A request that is written with the first of two stages only, and decided by whoever may."""
    with connection.cursor() as cursor:
        cursor.execute(_new_request(kind="exception", subject="exception:7") + " RETURNING id", [user("lucia").pk])
        number = cursor.fetchone()[0]
        cursor.execute(
            """INSERT INTO approvals_requeststage (request_id, position, name, revision, groups, permission, escalate_to, quorum,
                 business_hours, at_end, state, due_hours)
               SELECT %s, 1, s.name, 1, s.groups, '', '{}', 1, FALSE, s.at_end, 'open', s.due_hours
                 FROM approvals_policystage s JOIN approvals_request r ON r.policy_id = s.policy_id
                WHERE r.id = %s AND s.position = 1""",
            [number, number],
        )
    with pytest.raises(DatabaseError, match="every stage of its policy"), transaction.atomic():
        services.vote(actor=act("idris"), request=Request.objects.get(pk=number), verdict="approve", content_digest="x")
    assert Request.objects.get(pk=number).state == "open"


def named_with_a_conflict(clock: Clock) -> None:
    delegate("wei", "tomas")
    stage = filed().stages.get(state="open")
    add = "INSERT INTO approvals_stageapprover (stage_id, user_id, path, named_at) VALUES (%s, %s, 'x', now())"
    for name in ("hana", "wei", "tomas"):
        refused(add, stage.pk, user(name).pk, words="never with a conflict")


def exception_approved_by_another_kind(clock: Clock) -> None:
    """One approver passes a request of a kind that needs one, written for the subject of an exception that needs two."""
    asked = filed()
    found = ExceptionRequest.objects.get()
    services.set_aside(actor=ADMIN, subject=asked.subject)
    forged = services.open_request(
        actor=act("hana"), kind="directive.activation", subject=asked.subject, content_digest=found.digest, summary="x"
    )
    services.vote(actor=act("idris"), request=forged, verdict="approve", content_digest=found.digest)
    refused("UPDATE waivers_exceptionrequest SET state = 'approved'", words="by its approval only")


def exception_approved_without_its_parties(clock: Clock) -> None:
    """The same by an accomplice who leaves out whom it is for, so that the filer and the person could decide."""
    give("wei", LEAD)
    asked = filed()
    found = ExceptionRequest.objects.get()
    services.set_aside(actor=ADMIN, subject=asked.subject)
    forged = services.open_request(
        actor=act("lucia"), kind="exception", subject=asked.subject, content_digest=found.digest, summary="x"
    )
    for name in ("wei", "peter"):
        services.vote(actor=act(name), request=forged, verdict="approve", content_digest=found.digest)
    assert Request.objects.get(pk=forged.pk).state == "approved"
    refused("UPDATE waivers_exceptionrequest SET state = 'approved'", words="by its approval only")


def waiver_forged(clock: Clock) -> None:
    filed()
    add = """INSERT INTO waivers_waiver (person_id, directive_id, request_id, licence_id, starts_at, ends_at, end_reason)
             SELECT person_id, directive_id, id, licence_id, now(), now() + interval '1 day', '' FROM waivers_exceptionrequest"""
    refused(add, words="approved request")
    refused("UPDATE waivers_exceptionrequest SET state = 'approved'", words="by its approval only|Invalid transition")
    assert not Waiver.objects.exists()


def directive_approved(clock: Clock) -> None:
    from tests.approvals.ways import activation

    activation()
    refused(
        "UPDATE directives_directiveversion SET state = 'approved' WHERE state = 'submitted'",
        words="approved by somebody",
    )


def emptied(clock: Clock) -> None:
    approved(filed(), "idris")
    for table in (
        "approvalpolicy", "policystage", "request", "requeststage", "stageapprover", "conflict", "vote", "delegation", "comment",
    ):  # fmt: skip
        refused(f"TRUNCATE approvals_{table} CASCADE", words="are kept")
    assert re.fullmatch(r"exception:\d+", of(Request.objects.filter(state="open").latest("pk").subject).subject)


STATEMENTS: Acts = (
    ("UPDATE or DELETE of a decision", "`vote_keep`; the program's role has no right to try", vote_changed),
    ("UPDATE of a stage to approved, without its votes", "`request_stage_quorum`", stage_approved),
    ("UPDATE of who may decide a stage, how many, or by when; DELETE of one", "`request_stage_quorum`, `request_stage_keep`",
     stage_eased),
    ("UPDATE of a waiting stage to open before its turn", "`request_stage_quorum`", stage_out_of_turn),
    ("UPDATE that escalates a stage before it is overdue", "`request_stage_quorum`", escalated_early),
    ("UPDATE that gives a stage less time than its policy, so that it escalates", "`request_stage_quorum`", due_early),
    ("UPDATE of a request to approved", "`request_all_stages`", request_approved),
    ("UPDATE of who asked, for what, under which policy; DELETE of a request", "`request_fixed`, `request_keep`",
     request_changed),
    ("UPDATE or DELETE of a conflict", "`conflict_keep`", conflict_lifted),
    ("UPDATE of a delegation: other people, other times, an end in the past; DELETE of one",
     "`delegation_fixed`, `delegation_keep`", delegation_changed),
    ("UPDATE, DELETE or INSERT of the stages of a policy that was in force", "`policy_stage_fixed`, `policy_fixed`", policy_eased),
    ("INSERT of a request that is approved, lies ahead, or is under another policy", "`request_begins`", request_forged),
    ("INSERT of a stage that is approved, out of turn, or not of the policy", "`request_stage_begins`", stage_forged),
    ("INSERT of a request with some of the stages of its policy only", "`request_all_stages`", stages_left_out),
    ("INSERT of a named approver with a conflict", "`stage_approver_open`", named_with_a_conflict),
    ("An exception approved by an approval of another kind", "`exception_approved`", exception_approved_by_another_kind),
    ("An exception approved by an approval that leaves out whom it is for", "`exception_approved`",
     exception_approved_without_its_parties),
    ("INSERT of a waiver, or UPDATE of an exception to approved, without an approval", "`waiver_of_its_request`, `exception_approved`",
     waiver_forged),
    ("UPDATE of a version to approved, without an approval", "`version_second_person`", directive_approved),
    ("TRUNCATE of any table of approvals", "a statement trigger on each", emptied),
)  # fmt: skip
