"""``exception``: file exceptions, change or withdraw one, approve or reject one, open one that waits for a licence."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from governance.accounts.actor import Actor
from governance.accounts.commands import GovernanceCommand, add_as
from governance.approvals import queries as approvals
from governance.enforcement.services.exceptions import Wanted, edit_exception, file_exceptions
from governance.errors import Invalid
from governance.waivers.attachments import MOST_BYTES, Attached, store
from governance.waivers.mitigations import MITIGATIONS
from governance.waivers.models import ExceptionRequest
from governance.waivers.services import decide_exception, open_waiting, withdraw_exception


class Command(GovernanceCommand):
    help = "Exceptions: file, change or withdraw one, approve or reject one, open one that waits for a licence."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
        file = acts.add_parser(
            "file", help="ask that somebody keep some capabilities for some days; for several, all or none"
        )
        file.add_argument("--directive", required=True, metavar="REF")
        file.add_argument("--person", required=True, nargs="+", action="extend", metavar="ID")
        edit = acts.add_parser("edit", help="change what an open exception asks for; decisions so far become void")
        edit.add_argument("id", type=int, metavar="ID")
        for asks in (file, edit):
            asks.add_argument("--model", required=True, metavar="M")
            asks.add_argument("--capability", required=True, nargs="+", action="extend", metavar="C")
            asks.add_argument("--days", required=True, type=int, metavar="N")
            asks.add_argument("--reason", required=True, metavar="R")
            asks.add_argument("--licence", metavar="L")
            asks.add_argument("--mitigation", default="", choices=["", *(one.name for one in MITIGATIONS)], metavar="M")
            asks.add_argument("--attach", nargs="+", action="extend", default=[], type=Path, metavar="FILE")
        withdraw = acts.add_parser("withdraw", help="take an open exception back")
        withdraw.add_argument("id", type=int, metavar="ID")
        for verdict in ("approve", "reject"):
            vote = acts.add_parser(verdict, help=f"{verdict} an exception")
            vote.add_argument("id", type=int, metavar="ID")
            vote.add_argument("--comment", default="", metavar="C")
        waiting = acts.add_parser("open", help="open an approved exception that waits for a licence")
        waiting.add_argument("id", type=int, metavar="ID")
        waiting.add_argument("--licence", required=True, metavar="L")
        for each in acts.choices.values():
            add_as(each)
            each.add_argument("--json", action="store_true", help="print one JSON document")

    def act(self, **options: Any) -> None:
        actor = self.acting(options["as_user"])
        if options["act"] == "file":
            self._file(actor, options)
            return
        if options["act"] == "edit":
            edit_exception(actor=actor, exception_id=options["id"], items=_items(options), **_terms(options))
            request = ExceptionRequest.objects.get(pk=options["id"])
        elif options["act"] == "withdraw":
            request = withdraw_exception(actor=actor, exception_id=options["id"])
        elif options["act"] == "open":
            request = open_waiting(actor=actor, exception_id=options["id"], licence=options["licence"])
        else:
            request = decide_exception(
                actor=actor, exception_id=options["id"], verdict=options["act"], comment=options["comment"]
            )
        self._tell([request], options)

    def _file(self, actor: Actor, options: dict[str, Any]) -> None:
        filed = file_exceptions(
            actor=actor,
            reference=options["directive"],
            wanted=[Wanted(person, _items(options)) for person in dict.fromkeys(options["person"])],
            **_terms(options),
        )
        self._tell(filed, options)

    def _tell(self, requests: list[ExceptionRequest], options: dict[str, Any]) -> None:
        """One document for one exception; for several filed together a list of them."""
        told = [_as_json(request) for request in requests]
        if options["json"]:
            self.print_json(told[0] if len(told) == 1 else {"exceptions": told})
            return
        for request, document in zip(requests, told, strict=True):
            self.stdout.write(f"Exception {request.pk} is {request.state}. {request.close_reason}".strip())
            for stage in document["stages"]:
                self.stdout.write(f"  {stage['name']}: {stage['state']}")


def _items(options: dict[str, Any]) -> list[tuple[str, str]]:
    return [(options["model"], capability) for capability in options["capability"]]


def _terms(options: dict[str, Any]) -> dict[str, Any]:
    terms = {name: options[name] for name in ("days", "reason", "licence", "mitigation")}
    return terms | {"attached": [_attach(path) for path in options["attach"]]}


def _attach(path: Path) -> Attached:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Invalid("A file cannot be read.", [("attachments", f"{path}: {error.strerror}")]) from None
    return store(path.name, content)


def _as_json(request: ExceptionRequest) -> dict[str, Any]:
    asked = approvals.requests_about(request.subject).first()
    stages = [stage for stage in asked.stages.all() if stage.revision == asked.revision] if asked else []
    return {
        "id": request.pk,
        "state": str(request.state),
        "stages": [{"name": stage.name, "state": stage.state} for stage in stages],
    }
