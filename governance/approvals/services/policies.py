"""Approval policies: written as versions, in force when somebody else than their author approved them.

One version of each kind is in force. The change of a policy is itself a request, of the kind ``approval.policy``, decided by
the policy in force for that kind: who could change alone who approves what could approve everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from governance.accounts.actor import Actor
from governance.accounts.rights import RIGHTS
from governance.approvals import relations
from governance.approvals.models import ApprovalPolicy, AtEnd, PolicyStage, Request
from governance.approvals.selection import unfillable
from governance.approvals.services.common import Outcome, open_request_for
from governance.approvals.services.requests import open_request, set_aside
from governance.approvals.services.votes import vote
from governance.approvals.states import RequestState
from governance.errors import Invalid, NotFound, WrongState
from governance.ledger import services as ledger
from governance.moments import now
from governance.rules.language import canonical
from governance.values import Unfit, longest, one_of, text, whole_number

KIND = "approval.policy"
MOST_STAGES = 12
_LARGEST_SMALLINT = 32_767  # of PostgreSQL
# The bounds of each number; those that may be left out are None then.
_NUMBERS = {
    "position": (1, 50), "quorum": (1, 20), "min_tier": (1, 9), "more_than_days": (0, _LARGEST_SMALLINT),
    "more_than_people": (0, 2**31 - 1), "due_hours": (0, 8_760), "remind_hours": (0, 8_760),
}  # fmt: skip
_REQUIRED = ("position", "quorum")
_DEFAULTS = {"position": 1, "quorum": 1}


def subject_of(kind: str, version: int) -> str:
    return f"approval-policy:{kind}:{version}"


@transaction.atomic
def propose_policy(
    *,
    actor: Actor,
    kind: str,
    stages: Sequence[Mapping[str, Any]],
    note: str = "",
    terms: Mapping[str, Any] | None = None,
) -> Request:
    """Write the next version of a kind's policy and ask for its approval; ``stages`` are fields of ``PolicyStage``.

    ``terms`` are what it says beside them, which whoever calls has judged; without any, those in force are carried over.

    Raises ``Invalid`` with the place of each error, also for a relation that the kind does not offer and for a policy under
    which some request could not be decided by anybody; ``NotFound`` for a kind that nothing asks for.
    """
    actor.require("administer")
    versions = _lock_versions(kind)
    policy = ApprovalPolicy(
        kind=kind, version=versions[-1].version + 1, active=False, note=_note(note), author=actor.user, written_at=now(),
        terms=dict(_terms_of(versions) if terms is None else terms),
    )  # fmt: skip
    rows = _read(stages)
    _refuse_unknown_relations(kind, rows)
    why = unfillable([PolicyStage(**fields) for fields in rows])
    if why is not None:
        raise Invalid(why, [("stages", why)])
    policy.save()
    PolicyStage.objects.bulk_create(PolicyStage(policy=policy, **fields) for fields in rows)
    _record(actor, policy, "written", stages=[fields["name"] for fields in rows])
    return open_request(
        actor=actor,
        kind=KIND,
        subject=subject_of(kind, policy.version),
        content_digest=digest_of(policy),
        summary=f"Approval policy for {kind}, version {policy.version}",
        reason=policy.note,
    )


def _refuse_unknown_relations(kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """A relation that whoever asks does not name selects nobody."""
    offered = {relation.name for relation in relations.offered_by(kind)}
    unknown = sorted({name for fields in rows for name in fields["relations"]} - offered)
    if unknown:
        raise Invalid(
            "The policy is not acceptable.", [("relations", f"{name} is none that {kind} offers") for name in unknown]
        )


def _terms_of(versions: Sequence[ApprovalPolicy]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next((each for each in versions if each.active), versions[-1]).terms
    return found


def _lock_versions(kind: str) -> list[ApprovalPolicy]:
    """Every version of a kind, locked: whatever changes what is in force waits its turn, as do new requests of the kind."""
    versions = list(ApprovalPolicy.objects.select_for_update().filter(kind=kind).order_by("version"))
    if not versions:
        raise NotFound(f"Nothing asks for approvals of the kind {kind}.")
    return versions


@transaction.atomic
def decide_policy(
    *, actor: Actor, kind: str, version: int, verdict: str, comment: str = "", seen: str | None = None
) -> Outcome:
    """One decision on a written version; its last approval puts it in force in this transaction.

    Requests that are open keep the version they began with.
    """
    versions = _lock_versions(kind)
    request = open_request_for(subject_of(kind, version))
    policy = next(each for each in versions if each.version == version)
    if digest_of(policy) != request.content_digest:
        raise WrongState("What was asked for has changed. It cannot be decided; withdraw it and ask again.")
    outcome = vote(
        actor=actor, request=request, verdict=verdict, comment=comment, content_digest=seen or request.content_digest
    )
    if outcome.state == RequestState.APPROVED:
        _put_in_force(actor, policy, versions)
    return outcome


def _put_in_force(actor: Actor, policy: ApprovalPolicy, versions: list[ApprovalPolicy]) -> None:
    for other in versions:
        if other.active:
            other.active = False
            other.save(update_fields=["active"])
        if other.version < policy.version:
            reason = f"version {policy.version} took force"
            set_aside(actor=actor, subject=subject_of(policy.kind, other.version), reason=reason)
    policy.active = True
    policy.save(update_fields=["active"])
    _record(actor, policy, "activated")


def digest_of(policy: ApprovalPolicy) -> str:
    """What an approval is bound to: SHA-256 of everything the version says."""
    content: dict[str, Any] = {"kind": policy.kind, "version": policy.version, "note": policy.note}
    if policy.terms:
        content["terms"] = policy.terms
    stages = [{name: getattr(stage, name) for name in _FIELDS} for stage in policy.stages.order_by("position", "name")]
    return hashlib.sha256(canonical(content | {"stages": stages})).hexdigest()


_FIELDS = (
    "position", "name", "groups", "permission", "relations", "fallback", "quorum", "min_tier", "more_than_days",
    "more_than_people", "effects", "due_hours", "business_hours", "remind_hours", "at_end", "escalate_to",
)  # fmt: skip


# -- reading what was written ------------------------------------------------------------------------------------------


def _note(given: str) -> str:
    try:
        return text(given, longest(ApprovalPolicy, "note")).strip()
    except Unfit as unfit:
        raise Invalid("The policy is not acceptable.", [("note", unfit.reason)]) from None


def read_stages(stages: Sequence[Mapping[str, Any]]) -> list[PolicyStage]:
    """The stages as they would stand, in no policy yet. Raises ``Invalid`` with the place of each error."""
    return [PolicyStage(**fields) for fields in _read(stages)]


def _read(stages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if not 1 <= len(stages) <= MOST_STAGES:
        raise Invalid("The policy is not acceptable.", [("stages", f"must be from 1 to {MOST_STAGES}")])
    reader = _Reader()
    rows = [reader.stage(stage, f"stages[{index}]") for index, stage in enumerate(stages)]
    places = [(row["position"], row["name"]) for row in rows]
    for index, place in enumerate(places):
        if place in places[:index]:
            reader.errors.append((f"stages[{index}].name", "stands there twice at the same position"))
    if reader.errors:
        raise Invalid("The policy is not acceptable.", reader.errors)
    return rows


class _Reader:
    """Reads stages and collects what is wrong with them, each error with its place."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, str]] = []
        self.groups = set(Group.objects.values_list("name", flat=True))

    def stage(self, given: Mapping[str, Any], here: str) -> dict[str, Any]:
        found: dict[str, Any] = {
            name: self._number(given.get(name, _DEFAULTS.get(name)), name, here) for name in _NUMBERS
        }
        found["name"] = self._text(given.get("name", ""), "name", here).strip()
        if not found["name"]:
            self.errors.append((f"{here}.name", "is required"))
        for name in ("groups", "fallback", "escalate_to"):
            found[name] = [self._one_of(each, self.groups, "role", name, here) for each in given.get(name, ())]
        found["permission"] = given.get("permission", "")
        if found["permission"]:
            self._one_of(found["permission"], RIGHTS, "right", "permission", here)
        for name in ("relations", "effects"):
            found[name] = [self._text(each, name, here) for each in given.get(name, ())]
        found["business_hours"] = bool(given.get("business_hours", False))
        found["at_end"] = self._one_of(given.get("at_end", AtEnd.WAIT), AtEnd.values, "end", "at_end", here)
        self._together(found, here)
        return found

    def _together(self, found: dict[str, Any], here: str) -> None:
        """What no field says alone."""
        if not (found["groups"] or found["permission"] or found["relations"]):
            self.errors.append((f"{here}.groups", "names nobody who could decide it"))
        if found["at_end"] != AtEnd.WAIT and found["due_hours"] is None:
            self.errors.append((f"{here}.due_hours", "is needed for what happens at the end of time"))
        if found["at_end"] == AtEnd.ESCALATE and not found["escalate_to"]:
            self.errors.append((f"{here}.escalate_to", "is needed: to whom does it escalate?"))
        if found["remind_hours"] and found["due_hours"] is not None and found["remind_hours"] >= found["due_hours"]:
            self.errors.append((f"{here}.remind_hours", "must come before it is due"))

    def _number(self, value: object, name: str, here: str) -> int | None:
        if value is None and name not in _REQUIRED:
            return None
        try:
            return whole_number(value, *_NUMBERS[name])
        except Unfit as unfit:
            self.errors.append((f"{here}.{name}", unfit.reason))
            return None

    def _text(self, value: object, name: str, here: str) -> str:
        limit = 80 if name == "name" else 40 if name == "relations" else 10
        try:
            return text(value, limit)
        except Unfit as unfit:
            self.errors.append((f"{here}.{name}", unfit.reason))
            return ""

    def _one_of(self, value: object, known: Any, what: str, name: str, here: str) -> str:
        try:
            return one_of(value, known, what)
        except Unfit as unfit:
            self.errors.append((f"{here}.{name}", unfit.reason))
            return ""


def _record(actor: Actor, policy: ApprovalPolicy, act: str, **data: Any) -> None:
    subject = f"approval-policy:{policy.kind}"
    ledger.append(
        action=f"approval_policy.{act}", actor=actor.name, via=actor.via, subject=subject,
        data={"version": policy.version} | data,
    )  # fmt: skip
    ledger.publish(
        topic=f"approval_policy.{act}", key=subject, payload={"kind": policy.kind, "version": policy.version}
    )
