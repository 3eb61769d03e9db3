"""Raw SQL that would loosen a directive alone: move it, put a version in force, let an emergency off. None may get through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from governance.approvals import services
from governance.approvals.models import Request
from governance.directives.models import Directive, DirectiveVersion
from tests.approvals.other_ways import refused
from tests.approvals.ways import act, user
from tests.clock import Clock
from tests.conftest import REFERENCE
from tests.directives import steps

MOVE = f"UPDATE directives_directive SET state = %s, moved_by_id = %s WHERE reference = '{REFERENCE}'"
ONCE = "by an approval of just that, which serves once"


def in_place(statement: str, *params: Any, words: str) -> None:
    before = _states()
    refused(statement, *params, words=words)
    assert _states() == before


def _states() -> list[Any]:
    versions = DirectiveVersion.objects.order_by("pk").values_list("pk", "state", "approval")
    return [*Directive.objects.order_by("pk").values_list("pk", "state", "version_in_force", "moved_by"), *versions]


def granted(kind: str, digest: str, subject: str = f"directive:{REFERENCE}") -> Request:
    """An approved request that nothing acted on, as an accomplice with the program's role could have it."""
    request = services.open_request(actor=act("lucia"), kind=kind, subject=subject, content_digest=digest, summary="x")
    services.vote(actor=act("peter"), request=request, verdict="approve", content_digest=digest)
    return Request.objects.get(pk=request.pk, state="approved")


def moved(verb: str) -> Request:
    request = steps.ask(act, verb)
    steps.vote(act, "idris")
    return Request.objects.get(pk=request.pk)


def moved_alone(clock: Clock) -> None:
    for state in ("suspended", "rescinded"):
        in_place(MOVE, state, None, words=ONCE)
        asked = steps.ask(act, {"suspended": "suspension", "rescinded": "rescission"}[state])
        in_place(MOVE, state, asked.pk, words=ONCE)
        services.withdraw(actor=act("lucia"), request=asked)
        in_place(MOVE, state, asked.pk, words=ONCE)
    moved("suspension")
    for state in ("active", "rescinded"):
        in_place(MOVE, state, None, words=ONCE)


def moved_by_another_approval(clock: Clock) -> None:
    """Of another act, of other content, about another directive, or one that has served."""
    activation = Request.objects.get(kind="directive.activation", state="approved")
    in_place(MOVE, "suspended", activation.pk, words=ONCE)
    first, second = moved("suspension"), moved("resumption")
    for used in (first, second):
        in_place(MOVE, "suspended", used.pk, words=ONCE)
    in_place(
        "UPDATE directives_directive SET moved_by_id = NULL WHERE reference = %s",
        REFERENCE,
        words="keeps the approval that it was moved by",
    )
    for digest, subject in (("x", f"directive:{REFERENCE}"), (first.content_digest, "directive:OTHER")):
        in_place(MOVE, "suspended", granted("directive.suspension", digest, subject).pk, words=ONCE)
    in_place(MOVE, "rescinded", granted("directive.suspension", first.content_digest).pk, words=ONCE)


def moved_to_another_name(clock: Clock) -> None:
    in_place("UPDATE directives_directive SET reference = 'OTHER'", words="keeps its reference")


def expired_early(clock: Clock) -> None:
    in_place(MOVE, "expired", None, words="expires when its term has ended")
    in_place("UPDATE directives_directiveversion SET expires_at = now()", words="immutable once submitted")


def version_put_in_force(clock: Clock) -> None:
    steps.new_version(act, rule=steps.NARROWER)
    narrow = DirectiveVersion.objects.get(state="draft")
    point = "UPDATE directives_directive SET version_in_force_id = %s"
    in_place(point, narrow.pk, words="the version of a directive that took force")
    force = "UPDATE directives_directiveversion SET state = 'in_force' WHERE id = %s"
    in_place(force, narrow.pk, words="takes force when it is approved")
    steps.submit(act)
    in_place(force, narrow.pk, words="takes force when it is approved")
    in_place(point, narrow.pk, words="the version of a directive that took force")


def version_approved_by_another_approval(clock: Clock) -> None:
    """Of the version before, of another act, or of other content than its preview shows."""
    approve = "UPDATE directives_directiveversion SET state = 'approved', approval_id = %s WHERE state = 'submitted'"
    used = Request.objects.get(kind="directive.activation", state="approved")
    other = moved("suspension")
    moved("resumption")
    steps.new_version(act, rule=steps.NARROWER)
    asked = steps.submit(act)
    for approval in (None, used.pk, other.pk, asked.pk):
        in_place(approve, approval, words="approved by somebody who neither wrote nor submitted it")
    earlier = (
        "UPDATE directives_directiveversion SET submitted_at = now() - interval '9 days' WHERE state = 'submitted'"
    )
    in_place(earlier, words="immutable once submitted")
    preview = "UPDATE enforcement_storedpreview SET fingerprint = %s"
    in_place(preview, used.content_digest, words="Cannot update or delete")
    services.set_aside(actor=act("lucia"), subject=asked.subject)
    forged = granted("directive.activation", "x")
    in_place(approve, forged.pk, words="approved by somebody who neither wrote nor submitted it")
    in_place(
        "UPDATE directives_directiveversion SET approval_id = NULL WHERE state = 'in_force'",
        words="keeps the approval that it was approved by",
    )


def emergency_let_off(clock: Clock) -> None:
    """An emergency by statement is owed its confirmation like any other, and nobody lets it off or puts it off."""
    steps.new_version(act, rule=steps.WIDER)
    wide = DirectiveVersion.objects.get(state="draft")
    point = "UPDATE directives_directive SET version_in_force_id = %s, confirm_by = {}, confirmed_at = {}"
    with (
        pytest.raises(DatabaseError, match="to be confirmed within 24 hours"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE directives_directiveversion SET state = 'superseded' WHERE state = 'in_force'")
        cursor.execute(
            "UPDATE directives_directiveversion SET state = 'in_force', emergency_reason = 'x', digest = 'x',"
            " activated_by_id = %s WHERE id = %s",
            [user("lucia").pk, wide.pk],
        )
        for by, confirmed in (("NULL", "NULL"), ("now() + interval '9 days'", "NULL")):
            with pytest.raises(DatabaseError, match="to be confirmed"), transaction.atomic():
                cursor.execute(point.format(by, confirmed), [wide.pk])
        cursor.execute(point.format("now() + interval '1 hour'", "now()"), [wide.pk])
    steps.emergency(act)
    confirmed = "UPDATE directives_directive SET confirmed_at = now()"
    in_place(confirmed, words="confirmed by the approval of a second person")
    for later in ("NULL", "confirm_by + interval '1 day'"):
        in_place(f"UPDATE directives_directive SET confirm_by = {later}", words="is not put off")


def more_time_for_unknown_people(clock: Clock) -> None:
    steps.new_version(act, on_unknown_then="verify", on_unknown_hours=5)
    steps.submit(act)
    steps.vote(act)
    steps.activate(act)
    words = "the time that the version in force gives them"
    for later in ("NULL", "verify_deadline + interval '1 day'"):
        in_place(f"UPDATE directives_directive SET verify_deadline = {later}", words=words)
    moved("suspension")
    in_place("UPDATE directives_directive SET verify_remaining = interval '9 days'", words=words)


Acts = tuple[tuple[str, str, Callable[[Clock], None]], ...]
DIRECTIVE_STATEMENTS: Acts = (
    ("UPDATE of a directive to suspended, rescinded or active again, without an approval", "`directive_second_person`", moved_alone),
    ("UPDATE of a directive by an approval of another act, of other content, about another directive, or that has served",
     "`directive_second_person`", moved_by_another_approval),
    ("UPDATE of a directive's reference, to that of an approval", "`directive_second_person`", moved_to_another_name),
    ("UPDATE of a directive to expired before its term has ended", "`directive_second_person`, `version_immutable`", expired_early),
    ("UPDATE of a version to in force, or of which one is, without an approval", "`version_second_person`, `directive_second_person`",
     version_put_in_force),
    ("A version approved by the approval of another version or act, or of other content", "`version_second_person`, `stored_preview_keep`",
     version_approved_by_another_approval),
    ("UPDATE that lets an emergency off its confirmation, or puts it off", "`emergency_owed`", emergency_let_off),
    ("UPDATE that gives unknown people more time", "`verify_clock`", more_time_for_unknown_people),
)  # fmt: skip
