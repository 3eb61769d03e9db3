"""Random lives of requests: whatever people do in whatever order, the invariants hold in the database after each step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from governance.accounts import objects
from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.accounts.object_services import give, take
from governance.accounts.rights import COUNSEL, EXECUTIVE, LEAD
from governance.approvals import eligibility, queries, services
from governance.approvals.models import Delegation, Request, Vote
from governance.approvals.relations import RELATIONS, Relation, through_permission
from governance.approvals.services import ConflictSpec, Risk
from governance.approvals.states import StageState
from governance.catalog.models import AIModel
from governance.errors import Refused
from governance.moments import now
from tests.approvals.policies import first_of_its_kind
from tests.clock import Clock, moved_clock
from tests.extended import examples

pytestmark = pytest.mark.django_db
NAMES = tuple(f"m{number}" for number in range(7))
GROUPS = {
    "m0": [LEAD], "m1": [LEAD, COUNSEL], "m2": [COUNSEL], "m3": [EXECUTIVE], "m4": [LEAD, EXECUTIVE], "m5": [], "m6": [],
}  # fmt: skip
KINDS: dict[str, list[dict[str, Any]]] = {
    "test.one": [{"name": "Any", "position": 1, "groups": [LEAD, COUNSEL, EXECUTIVE]}],
    "test.two": [
        {"name": "Lead", "position": 1, "groups": [LEAD], "due_hours": 4, "remind_hours": 2, "at_end": "escalate",
         "escalate_to": [EXECUTIVE]},
        {"name": "Counsel", "position": 2, "groups": [COUNSEL], "due_hours": 8, "at_end": "refuse"},
    ],
    "test.parallel": [
        {"name": "Two leads", "position": 1, "groups": [LEAD, EXECUTIVE], "quorum": 2},
        {"name": "Steward", "position": 1, "relations": ["steward"], "fallback": [COUNSEL]},
        {"name": "Right", "position": 5, "permission": "reveal_sensitive", "min_tier": 4},
    ],
}  # fmt: skip

# One statement that finds whatever must never be; each row names what is wrong.
VIOLATIONS = """
WITH mine AS (SELECT * FROM approvals_request WHERE kind LIKE 'test.%%'),
     hands AS (SELECT v.request_id, v.revision, v.approver_id AS account FROM approvals_vote v
               UNION ALL SELECT v.request_id, v.revision, v.on_behalf_of_id FROM approvals_vote v
                WHERE v.on_behalf_of_id IS NOT NULL)
SELECT 'somebody had two hands in one revision' FROM hands h JOIN mine r ON r.id = h.request_id
 GROUP BY h.request_id, h.revision, h.account HAVING count(*) > 1
UNION ALL
SELECT 'a party decided' FROM hands h JOIN mine r ON r.id = h.request_id
 WHERE h.account = r.requester_id OR EXISTS (SELECT 1 FROM approvals_conflict c
        WHERE c.request_id = r.id AND c.user_id = h.account AND h.revision = r.revision)
UNION ALL
SELECT 'a delegate of the requester decided' FROM approvals_vote v JOIN mine r ON r.id = v.request_id
  JOIN approvals_delegation d ON d.delegate_id = v.approver_id AND d.principal_id = r.requester_id
 WHERE d.starts_at <= v.at AND coalesce(d.revoked_at, d.ends_at) > r.opened_at
UNION ALL
SELECT 'somebody decided for another without a delegation that ran' FROM approvals_vote v JOIN mine r ON r.id = v.request_id
 WHERE v.on_behalf_of_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM approvals_delegation d
        WHERE d.principal_id = v.on_behalf_of_id AND d.delegate_id = v.approver_id AND d.starts_at <= v.at
          AND coalesce(d.revoked_at, d.ends_at) > v.at)
UNION ALL
SELECT 'approved without its votes' FROM mine r JOIN approvals_requeststage s
       ON s.request_id = r.id AND s.revision = r.revision
 WHERE r.state = 'approved' AND (s.state <> 'approved' OR s.quorum > (
       SELECT count(*) FROM approvals_vote v WHERE v.stage_id = s.id AND v.verdict = 'approve'
          AND v.content_digest = r.content_digest AND v.revision = r.revision))
UNION ALL
SELECT 'approved although somebody rejected it' FROM mine r JOIN approvals_vote v ON v.request_id = r.id
 WHERE r.state = 'approved' AND v.revision = r.revision AND v.verdict = 'reject'
UNION ALL
SELECT 'a closed request has undecided stages' FROM mine r JOIN approvals_requeststage s ON s.request_id = r.id
 WHERE r.state <> 'open' AND s.state IN ('open', 'waiting')
UNION ALL
SELECT 'stages are open out of turn' FROM mine r JOIN approvals_requeststage s ON s.request_id = r.id
  JOIN approvals_requeststage o ON o.request_id = r.id AND o.revision = s.revision AND o.position < s.position
 WHERE r.state = 'open' AND s.revision = r.revision AND s.state = 'open' AND o.state <> 'approved'
UNION ALL
SELECT 'an open request waits for nobody' FROM mine r WHERE r.state = 'open' AND NOT EXISTS (
       SELECT 1 FROM approvals_requeststage s WHERE s.request_id = r.id AND s.revision = r.revision AND s.state = 'open')
UNION ALL
SELECT 'the ledger does not have each decision' FROM mine r
 WHERE (SELECT count(*) FROM approvals_vote v WHERE v.request_id = r.id)
    <> (SELECT count(*) FROM ledger_entry e WHERE e.subject = 'approval:' || r.id AND e.action = 'approval.voted')
"""


SEEN: Counter[str] = Counter()
"""What the sequences came to, so that the test knows that it tested something."""


class Life(RuleBasedStateMachine):
    """People submit, decide, delegate, revoke, edit, withdraw, ask back, hand over and leave, while time passes."""

    requests = Bundle("requests")
    clock: Clock
    people = st.sampled_from(NAMES)

    def __init__(self) -> None:
        super().__init__()
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.context = moved_clock()
        self.clock = self.context.__enter__()
        self.asked: list[int] = []
        self.edits = 0

    def teardown(self) -> None:
        SEEN.update(Request.objects.filter(kind__startswith="test.").values_list("state", flat=True))
        SEEN["decisions"] += Vote.objects.filter(request__kind__startswith="test.").count()
        SEEN["for somebody else"] += Vote.objects.filter(
            request__kind__startswith="test.", on_behalf_of__isnull=False
        ).count()
        self.context.__exit__(None, None, None)
        transaction.set_rollback(True)
        self.transaction.__exit__(None, None, None)

    @staticmethod
    def user(name: str) -> User:
        return User.objects.get(username=name)

    def actor(self, name: str) -> Actor:
        return Actor.for_user(self.user(name))

    def attempt(self, act: Callable[[], Any]) -> Any:
        """What the act came to; None when it was refused. Anything but a refusal is a failure of the test."""
        try:
            with transaction.atomic():
                return act()
        except Refused:
            return None

    @initialize(target=requests, delegations=st.lists(st.tuples(people, people), min_size=1, max_size=3), who=people,
                kind=st.sampled_from(sorted(KINDS)), tier=st.sampled_from([1, 4]))  # fmt: skip
    def begin(self, delegations: list[tuple[str, str]], who: str, kind: str, tier: int) -> int:
        for principal, delegate in delegations:
            self.delegate(principal, delegate, 5)
        return self.submit(who, kind, None, "m5", tier)

    @rule(target=requests, who=people, kind=st.sampled_from(sorted(KINDS)), party=st.none() | people,
          steward=st.none() | people, tier=st.sampled_from([1, 4]))  # fmt: skip
    def submit(self, who: str, kind: str, party: str | None, steward: str | None, tier: int) -> int:
        conflicts = [ConflictSpec("It is for you.", user_id=self.user(party).pk)] if party else []
        relations = self.stewards(steward) if steward else {}
        made = self.attempt(
            lambda: services.open_request(
                actor=self.actor(who), kind=kind, subject=f"test:{len(self.asked)}", content_digest="0" * 64, summary="x",
                conflicts=conflicts, relations=relations, risk=Risk(tier=tier),
            )
        )  # fmt: skip
        self.asked.append(made.pk if made else 0)
        return self.asked[-1]

    @rule(number=requests, choice=st.integers(0, 99), verdict=st.sampled_from(["approve"] * 9 + ["reject"]))
    def somebody_able_decides(self, number: int, choice: int, verdict: str) -> None:
        """Mostly people decide what they may, else no sequence would come far."""
        stages = self.find(number).stages.filter(state=StageState.OPEN)
        able = [user for stage in stages for user in queries.eligible(stage)]
        delegates = User.objects.filter(delegations_held__principal__in=able)
        own = sorted({user.username for user in able} & set(NAMES))
        others = sorted({user.username for user in delegates} & set(NAMES) - set(own))
        names = others if others and choice % 2 else own
        if names:
            self.decide(number, names[choice // 2 % len(names)], verdict)

    @rule(number=requests, who=people, verdict=st.sampled_from(["approve"] * 4 + ["reject"]))
    def decide(self, number: int, who: str, verdict: str) -> None:
        request = self.find(number)
        standing = eligibility.standing(self.user(who), request)
        listed = queries.inbox(self.user(who)).filter(pk=number).exists()
        assert listed == (standing.refusal is None), "the inbox lists what can be decided, and nothing else"
        done = self.attempt(
            lambda: services.vote(
                actor=self.actor(who), request=request, verdict=verdict, content_digest=request.content_digest
            )
        )
        assert (done is None) == (standing.refusal is not None)

    @rule(number=requests, who=people, principal=st.none() | people, other=st.sampled_from([False, False, False, True]))
    def decide_past_the_services(self, number: int, who: str, principal: str | None, other: bool) -> None:
        """A raw INSERT is taken exactly when the services would have let this account decide, for itself or that principal."""
        request = self.find(number)
        stage = request.stages.filter(revision=request.revision, state=StageState.OPEN).first()
        assume(stage is not None)
        maker, hat = self.user(who), self.user(principal) if principal else None
        ours = self.may(maker, hat, request, stage) and not other
        try:
            with transaction.atomic():
                Vote.objects.create(
                    request=request, stage=stage, approver=maker, on_behalf_of=hat, revision=request.revision,
                    verdict="approve", content_digest="f" * 64 if other else request.content_digest, at=now(),
                )  # fmt: skip
                transaction.set_rollback(True)
            taken = True
        except DatabaseError:
            taken = False
        SEEN["raw votes taken" if taken else "raw votes refused"] += 1
        assert taken == ours, (who, principal, stage.name)

    @staticmethod
    def may(maker: User, hat: User | None, request: Request, stage: Any) -> bool:
        if not maker.is_active or eligibility.conflict_of(maker, request) is not None:
            return False
        if hat is not None and (hat not in eligibility.principals(maker) or hat == maker):
            return False
        hat = hat or maker
        if eligibility.conflict_of(hat, request) is not None:
            return False
        if request.votes.filter(eligibility.involves(maker, hat), revision=request.revision).exists():
            return False
        return type(stage).objects.filter(eligibility.has_right(hat), pk=stage.pk).exists()

    @rule(principal=people, to=people, hours=st.sampled_from([1, 5, 30]))
    def delegate(self, principal: str, to: str, hours: int) -> None:
        moment = now()
        self.attempt(
            lambda: services.delegate(
                actor=self.actor(principal), to=self.user(to), starts_at=moment, ends_at=moment + timedelta(hours=hours),
                reason="away",
            )
        )  # fmt: skip

    @rule(who=people)
    def revoke(self, who: str) -> None:
        held = Delegation.objects.filter(principal__username=who, revoked_at=None).first()
        if held is not None:
            self.attempt(lambda: services.revoke(actor=self.actor(who), delegation_id=held.pk))

    @rule(number=requests, who=people)
    def edit(self, number: int, who: str) -> None:
        self.edits += 1
        digest = f"{self.edits:064x}"
        self.attempt(
            lambda: services.revise(
                actor=self.actor(who), request=self.find(number), content_digest=digest, summary="edited",
                risk=Risk(tier=4), relations=self.stewards("m6"),
            )
        )  # fmt: skip

    @rule(number=requests, who=people)
    def withdraw(self, number: int, who: str) -> None:
        self.attempt(lambda: services.withdraw(actor=self.actor(who), request=self.find(number)))

    @rule(number=requests, who=people)
    def talk(self, number: int, who: str) -> None:
        request = self.find(number)
        act = services.answer if request.stopped_at and request.requester.username == who else services.ask_back
        self.attempt(lambda: act(actor=self.actor(who), request=request, words="Which dataset?"))

    @rule(number=requests, who=people, to=people)
    def hand_over(self, number: int, who: str, to: str) -> None:
        request = self.find(number)
        stage = request.stages.filter(revision=request.revision, state__in=["open", "waiting"]).last()
        if stage is not None:
            self.attempt(
                lambda: services.hand_over(
                    actor=self.actor(who), request=request, stage_id=stage.pk, to=self.user(to), reason="ill"
                )
            )

    def stewards(self, name: str) -> dict[str, dict[int, list[str]]]:
        """Somebody who stands in the relation through a permission on a model, which they have from now on."""
        self.steward_or_not(name, True)
        way = through_permission("catalog.aimodel", objects.STEWARD, AIModel.objects.get(slug="fable-5").pk)
        return {"steward": {self.user(name).pk: [way]}}

    @rule(who=people, holds=st.booleans())
    def steward_or_not(self, who: str, holds: bool) -> None:
        change = give if holds else take
        machine, model = Actor.machine("cli:test"), AIModel.objects.get(slug="fable-5")
        self.attempt(lambda: change(actor=machine, permission=objects.STEWARD, thing=model, account=who))

    @rule(who=people, active=st.booleans())
    def leave_or_come_back(self, who: str, active: bool) -> None:
        User.objects.filter(username=who).update(is_active=active)

    @rule(hours=st.sampled_from([1, 3, 9]))
    def pass_time(self, hours: int) -> None:
        self.clock.pass_time(hours=hours)
        system = Actor.machine("system:test")
        for _ in range(2):  # a second tick finds nothing more to do
            reminded = services.remind(actor=system)
            outcomes = [services.pass_time(actor=system, request_id=number) for number in services.overdue()]
        assert reminded == 0
        assert outcomes == []

    def find(self, number: int) -> Request:
        assume(number)
        return Request.objects.get(pk=number)

    @invariant()
    def holds(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(VIOLATIONS)
            assert cursor.fetchall() == []


@pytest.fixture
def cast(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.contrib.auth.models import Group

    for name in NAMES:
        User.objects.create_user(name, f"{name}@example.com").groups.set(Group.objects.filter(name__in=GROUPS[name]))
    monkeypatch.setitem(RELATIONS, "steward", Relation("steward", "A steward", ("test.",)))
    for kind, stages in KINDS.items():
        first_of_its_kind(kind, *stages)


def test_no_sequence_of_acts_breaks_an_invariant(cast: None) -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=examples(200) // (2 if examples(1) > 1 else 1), stateful_step_count=14, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    print(dict(SEEN))
    for what in ("approved", "rejected", "withdrawn", "for somebody else", "raw votes taken", "raw votes refused"):
        assert SEEN[what] > 0, f"no sequence came to: {what}"
