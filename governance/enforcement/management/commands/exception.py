"""``exception``: file an exception for a report, approve or reject one, open one that waits for a licence."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from governance.accounts.commands import GovernanceCommand, add_as
from governance.approvals import queries as approvals
from governance.enforcement.services.exceptions import file_exception
from governance.waivers.models import ExceptionRequest
from governance.waivers.services import decide_exception, open_waiting


class Command(GovernanceCommand):
    help = "Exceptions: file one for a report, approve or reject one, open one that waits for a licence."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
        file = acts.add_parser("file", help="ask that a report keep some capabilities for some days")
        file.add_argument("--directive", required=True, metavar="REF")
        file.add_argument("--person", required=True, metavar="ID")
        file.add_argument("--model", required=True, metavar="M")
        file.add_argument("--capability", required=True, nargs="+", action="extend", metavar="C")
        file.add_argument("--days", required=True, type=int, metavar="N")
        file.add_argument("--reason", required=True, metavar="R")
        file.add_argument("--licence", metavar="L")
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
            request = file_exception(
                actor=actor,
                reference=options["directive"],
                person_id=options["person"],
                items=[(options["model"], capability) for capability in options["capability"]],
                days=options["days"],
                reason=options["reason"],
                licence=options["licence"],
            )
        elif options["act"] == "open":
            request = open_waiting(actor=actor, exception_id=options["id"], licence=options["licence"])
        else:
            request = decide_exception(
                actor=actor, exception_id=options["id"], verdict=options["act"], comment=options["comment"]
            )
        self._tell(request, options)

    def _tell(self, request: ExceptionRequest, options: dict[str, Any]) -> None:
        asked = approvals.requests_about(request.subject).first()
        stages = [{"name": s.name, "state": s.state} for s in asked.stages.all()] if asked else []
        if options["json"]:
            self.print_json({"id": request.pk, "state": str(request.state), "stages": stages})
        else:
            self.stdout.write(f"Exception {request.pk} is {request.state}. {request.close_reason}".strip())
            for stage in stages:
                self.stdout.write(f"  {stage['name']}: {stage['state']}")
