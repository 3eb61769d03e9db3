"""Ways around separation of duties by the acts around a decision, each by page, by API and, where there is one, by command.

Each asserts that it did not get through by any of these doors.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from governance.accounts import objects
from governance.accounts.models import User
from governance.approvals.models import ApprovalPolicy, Delegation, Request
from governance.catalog.models import AIModel
from governance.enforcement.services.exceptions import ask_for_exception, file_exception
from governance.enforcement.services.people import import_people
from governance.people.models import HeldPerson, HeldVerdict
from governance.waivers import limits
from governance.waivers.models import BreakGlass, ExceptionRequest, Waiver
from governance.waivers.services import decide_exception
from tests.approvals.doors import client_of, token_of
from tests.approvals.ways import ADMIN, act, filed, user
from tests.clock import Clock
from tests.conftest import PASSWORD, REFERENCE
from tests.people.test_loosening import people_file

REFUSED = (403, 404, 409, 422)
USE = [{"model": "fable-5", "capability": "use"}]


def by_page(name: str, address: str, form: dict[str, Any]) -> bool:
    return client_of(user(name)).post(address, form).status_code not in REFUSED


def by_api(name: str, path: str, sent: dict[str, Any], method: str = "post") -> bool:
    answer = getattr(Client(), method)(
        f"/api/v1/{path}", sent, content_type="application/json",
        headers={"Authorization": f"Bearer {token_of(user(name))}"},
    )  # fmt: skip
    assert answer.status_code in REFUSED or answer.status_code < 300, answer.content
    return answer.status_code < 300


def by_command(name: str, tmp_path: Path, *words: str) -> bool:
    user(name)  # demo accounts need no password
    try:
        call_command(*words, "--as", name, stdout=io.StringIO(), stderr=io.StringIO())
    except SystemExit as ended:
        return ended.code != 1
    return True


def to_accept() -> ExceptionRequest:
    request = file_exception(
        actor=act("hana"), reference=REFERENCE, person_id="p009", items=[("fable-5", "use")], days=5, reason="x",
        mitigation="supervised",
    )  # fmt: skip
    for name in ("idris", "peter"):
        decide_exception(actor=act(name), exception_id=request.pk, verdict="approve")
    request.refresh_from_db()
    return request


def waived() -> Waiver:
    request = to_accept()
    from governance.waivers.services import accept_conditions

    accept_conditions(actor=act("wei"), exception_id=request.pk, digest=request.conditions_digest)
    return Waiver.objects.get()


def accepted_for_the_person(clock: Clock, tmp_path: Path) -> None:
    request = to_accept()
    sent = {"conditions_digest": request.conditions_digest}
    for name in ("hana", "idris", "peter", "lucia"):
        for verb in ("accept", "decline"):
            assert not by_page(name, f"/exceptions/{request.pk}/{verb}", {"digest": request.conditions_digest})
            assert not by_api(name, f"exceptions/{request.pk}/{verb}", sent)
            assert not by_command(
                name, tmp_path, "exception", verb, str(request.pk), "--digest", request.conditions_digest
            )
    request.refresh_from_db()
    assert request.state == "accepting"
    assert not Waiver.objects.exists()


def accepted_unread(clock: Clock, tmp_path: Path) -> None:
    request = to_accept()
    assert not by_page("wei", f"/exceptions/{request.pk}/accept", {"digest": "0" * 64})
    assert not by_api("wei", f"exceptions/{request.pk}/accept", {"conditions_digest": "0" * 64})
    assert not by_command("wei", tmp_path, "exception", "accept", str(request.pk), "--digest", "0" * 64)
    assert not Waiver.objects.exists()


def renewed_past_the_stages(clock: Clock, tmp_path: Path) -> None:
    waiver = waived()
    assert waiver.request is not None
    for name in ("wei", "idris", "peter", "lucia"):
        assert not by_page(name, f"/waivers/{waiver.pk}/renew", {})
        assert not by_api(name, f"waivers/{waiver.pk}/renew", {})
        assert not by_command(name, tmp_path, "exception", "renew", str(waiver.request.pk))
    assert by_api("hana", f"waivers/{waiver.pk}/renew", {})
    again = ExceptionRequest.objects.get(renews=waiver)
    assert again.state == "open"
    assert [stage.state for stage in Request.objects.get(subject=again.subject).stages.all()] == ["open", "waiting"]
    assert Waiver.objects.count() == 1


def filed_for_oneself_among_others(clock: Clock, tmp_path: Path) -> None:
    """Hana is p007; the form and the call name her beside one of her people."""
    form = {
        "directive": REFERENCE, "person": ["p009", "p007"], "item-p009": "fable-5/use", "item-p007": "fable-5/use",
        "days": "5", "reason": "x", "mitigation": "none",
    }  # fmt: skip
    people = [{"person": person, "items": USE} for person in ("p009", "p007")]
    assert not by_page("hana", "/exceptions/new", form)
    sent = {"directive": REFERENCE, "people": people, "days": 5, "reason": "x"}
    assert not by_api("hana", "exceptions/several", sent)
    assert not by_api("hana", f"drafts/{uuid4()}", sent, "put")
    assert not by_command(
        "hana", tmp_path, "exception", "file", "--directive", REFERENCE, "--person", "p009", "p007", "--model", "fable-5",
        "--capability", "use", "--days", "5", "--reason", "x",
    )  # fmt: skip
    assert not ExceptionRequest.objects.exists()


def draft_of_another_filed(clock: Clock, tmp_path: Path) -> None:
    """Nor does somebody complete and file what they asked for themselves."""
    draft = ask_for_exception(actor=act("wei"), reference=REFERENCE, words="The evaluation stops.")
    form = {
        "directive": REFERENCE, "person": "p009", "item": "fable-5/use", "days": "5", "reason": "x", "mitigation": "none",
        "draft": str(draft.key),
    }  # fmt: skip
    for name in ("wei", "jonas", "idris"):
        assert not by_page(name, "/exceptions/new", form)
        assert not by_api(name, f"drafts/{draft.key}/file", {})
        assert not by_command(name, tmp_path, "exception", "draft", "file", str(draft.key))
    assert not ExceptionRequest.objects.exists()


def edited_by_another(clock: Clock, tmp_path: Path) -> None:
    asked = filed()
    number = asked.subject.partition(":")[2]
    for name in ("wei", "idris", "lucia"):
        form = {"item": "fable-5/use", "days": "1", "reason": "x", "mitigation": "none", "directive": REFERENCE}
        assert not by_page(name, f"/exceptions/{number}/edit", form)
        assert not by_api(name, f"exceptions/{number}", {"items": USE, "days": 1, "reason": "x"}, "put")
        assert not by_command(
            name, tmp_path, "exception", "edit", number, "--model", "fable-5", "--capability", "use", "--days", "1",
            "--reason", "x",
        )  # fmt: skip
    asked.refresh_from_db()
    assert asked.revision == 1


def glass_broken_alone(clock: Clock, tmp_path: Path) -> None:
    from tests.approvals.ways import give
    from tests.waivers.test_version_in_force import activate

    activate(act, waivable="company")
    give("lucia", "break-glass")
    sent = {"directive": REFERENCE, "person": "p009", "items": USE, "hours": 1, "reason": "x"}
    assert not by_api("peter", "break-glass", sent)
    assert by_api("idris", "break-glass", sent)
    one = BreakGlass.objects.get()
    for name in ("idris", "peter", "wei"):
        assert not by_page(name, f"/break-glass/{one.pk}/confirm", {"digest": one.digest})
        assert not by_api(name, f"break-glass/{one.pk}/confirm", {"content_digest": one.digest})
    assert not Waiver.objects.exists()
    assert by_api("maren", f"break-glass/{one.pk}/confirm", {"content_digest": one.digest})
    for name in ("idris", "maren", "wei", "lucia"):
        assert not by_page(name, f"/break-glass/{one.pk}/review", {"verdict": "needed", "review": "x"})
        assert not by_api(name, f"break-glass/{one.pk}/review", {"verdict": "needed", "review": "x"})
    one.refresh_from_db()
    assert one.reviewed_at is None


def delegation_taken(clock: Clock, tmp_path: Path) -> None:
    """Whoever gives one is whoever asks; what else is sent says nothing, and nobody ends those of others."""
    ends = (timezone.now() + timedelta(days=2)).isoformat()
    sent = {"principal": "peter", "delegate": "lucia", "ends_at": ends, "reason": "x"}
    by_api("tomas", "delegations", sent)
    assert not by_api("lucia", "delegations", sent)  # to oneself
    assert not by_command("lucia", tmp_path, "delegation", "give", "lucia", "--until", ends, "--reason", "x")
    assert set(Delegation.objects.values_list("principal__username", "delegate__username")) == {("tomas", "lucia")}
    number = Delegation.objects.get().pk
    assert not by_page("peter", f"/delegations/{number}/revoke", {})
    assert not by_api("peter", f"delegations/{number}/revoke", {})
    assert not by_command("peter", tmp_path, "delegation", "revoke", str(number))
    assert Delegation.objects.get().revoked_at is None


def held_decided_by_a_party(clock: Clock, tmp_path: Path) -> None:
    import_people(
        actor=ADMIN, organisations_file=None,
        people_file=people_file(tmp_path / "p.csv", {"p009": {"citizenships": "US"}}),
    )  # fmt: skip
    HeldPerson.objects.update(proposed_by="teo")
    user("wei").groups.set(user("teo").groups.all())
    seen = HeldPerson.objects.get().proposed_at.isoformat()
    for name in ("teo", "wei", "lucia", "admin"):
        for verdict in ("confirm", "refuse"):
            form = {"what": "person", "key": "p009", "verdict": verdict, "seen": seen}
            assert not by_page(name, "/held/decide", form)
            assert not by_api(name, "held/people/p009", {"verdict": verdict, "proposed_at": seen})
            assert not by_command(name, tmp_path, "held", verdict, "person", "p009", "--seen", seen)
    assert not HeldVerdict.objects.exists()


def permission_for_oneself(clock: Clock, tmp_path: Path) -> None:
    """A steward approves where a policy says so; nobody makes one of themselves."""
    for name in ("admin", "tomas", "idris"):
        form = {"permission": objects.STEWARD, "account": name, "role": ""}
        assert not by_page(name, "/rights/models/fable-5/give", form)
        assert not by_api(name, "objects/models/fable-5/permissions", form | {"role": ""})
    assert not objects.holders(objects.STEWARD, AIModel.objects.get(slug="fable-5")).exists()


def limits_changed_alone(clock: Clock, tmp_path: Path) -> None:
    form = {
        "rows": "1", "name-0": "Lead", "position-0": "1", "quorum-0": "1", "groups-0": "trust-and-safety lead",
        "at_end-0": "wait", "default_days": "300", "most_days": "300", "do": "save",
    }  # fmt: skip
    assert not by_page("idris", "/policies/exception/edit", form)
    assert by_page("admin", "/policies/exception/edit", form)
    asked = Request.objects.get(kind="approval.policy")
    sent = {"verdict": "approve", "seen": asked.content_digest, "content_digest": asked.content_digest}
    assert client_of(user("admin")).post(f"/approvals/{asked.pk}/vote", sent).status_code == 403
    assert not by_api("admin", f"approvals/{asked.pk}/votes", sent)
    assert not ApprovalPolicy.objects.get(kind="exception", version=2).active
    assert limits.in_force().most_days == 90


def token_of_another(clock: Clock, tmp_path: Path) -> None:
    """A token is shown to whoever made it, ends by its account or an administrator, and gives no right that its account lacks."""
    User.objects.create_user("mallory", "mallory@example.net", PASSWORD)
    plain = token_of(user("mallory"))
    asked = filed()
    bearer = {"Authorization": f"Bearer {plain}"}
    assert Client().get(f"/api/v1/approvals/{asked.pk}", headers=bearer).status_code == 404
    number = user("mallory").personal_tokens.get().pk
    assert not by_page("peter", f"/tokens/{number}/revoke", {})
    assert not by_command("peter", tmp_path, "revoke_personal_token", str(number))
    assert user("mallory").personal_tokens.get().revoked_at is None


_NOT_ITS = "not its to know: the act approves nothing"
Acts = tuple[tuple[str, str, str, Callable[[Clock, Path], None]], ...]
PROGRAM_ACTS: Acts = (
    ("Somebody else accepts or declines the conditions for the person", "`accepting._for_oneself`", "`accepted_by_the_person`",
     accepted_for_the_person),
    ("The person accepts other conditions than were approved", "`accepting._for_oneself` (digest)", "`accepted_by_the_person`",
     accepted_unread),
    ("A renewal passes the stages by, or somebody renews their own waiver", "`renew_waiver`, `may_ask_for`", "`waiver_of_its_request`",
     renewed_past_the_stages),
    ("Somebody files for themselves among several", "`queries.people_to_file_for`", "`exception_for_somebody_else`",
     filed_for_oneself_among_others),
    ("Somebody files another's draft, or what they asked for themselves", "`queries.drafts_of`", "`draft_for_somebody_else`",
     draft_of_another_filed),
    ("Somebody else edits what was filed", "`edit_exception`", "`exception_fixed`: an edit voids every decision", edited_by_another),
    ("One person breaks the glass alone, or reviews what they opened", "`confirm_break_glass`, `review_break_glass`",
     "`break_glass_two_people`, `break_glass_third_person`", glass_broken_alone),
    ("Somebody makes themselves the delegate of an approver, or ends delegations of others", "`delegations.delegate`, `revoke`",
     "`delegation_to_another`, `delegation_fixed`", delegation_taken),
    ("Whoever proposed a held change, or whom it is about, decides it", "`held.why_not`", "`held_verdict_of_a_second_person`",
     held_decided_by_a_party),
    ("Somebody makes themselves a steward, who approves", "`object_services.give`", _NOT_ITS, permission_for_oneself),
    ("One person alone changes for how long exceptions may ask", "`policies.propose_policy`", "`policy_approved`, `policy_fixed`",
     limits_changed_alone),
    ("Somebody uses or ends another account's token", "`tokens.revoke_personal_token`, `find_personal_token`", _NOT_ITS, token_of_another),
)  # fmt: skip
