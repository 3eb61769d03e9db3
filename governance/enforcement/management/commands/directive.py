"""``directive``: load, preview, submit, approve, activate, suspend, resume, rescind, and ask for the status."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from governance.accounts.actor import Actor
from governance.accounts.commands import GovernanceCommand, add_as, os_user
from governance.approvals import queries as approvals
from governance.approvals.states import RequestState
from governance.directives.models import Directive
from governance.enforcement import candidates, previews, queries, remarks
from governance.enforcement.documents import beside, read_rule, read_yaml
from governance.enforcement.services import lifecycle, runs
from governance.enforcement.services.loading import load_directives
from governance.errors import NotFound

_ACTS = {"suspend": "suspension", "resume": "resumption", "rescind": "rescission", "confirm": "confirmation"}


class Command(GovernanceCommand):
    help = "A directive's life, from the letter to its end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
        load = acts.add_parser("load", help="the directives of a scenario file as drafts")
        load.add_argument("file", type=Path, metavar="F.yaml")
        preview = self._about(acts.add_parser("preview", help="the exact effect a version would have now"))
        preview.add_argument("--version", dest="number", type=int, metavar="N")
        other = preview.add_mutually_exclusive_group()
        other.add_argument("--rule", type=Path, metavar="F.json", help="a bare rule in place of the version's")
        other.add_argument("--alternative", metavar="SLUG", help="a reading from the case")
        self._about(acts.add_parser("status", help="where a directive stands"))
        acts.add_parser("list", help="every directive with its state")
        submit = self._about(acts.add_parser("submit", help="store the preview and open the approval"))
        for verdict in ("approve", "reject"):
            vote = self._about(acts.add_parser(verdict, help=f"{verdict} the one open request about a directive"))
            vote.add_argument("--comment", default="", metavar="C")
            add_as(vote)
        withdraw = self._about(acts.add_parser("withdraw", help="take an open request back"))
        activate = self._about(acts.add_parser("activate", help="put a version in force"))
        activate.add_argument("--emergency", action="store_true", help="a draft or submitted version, to be confirmed")
        activate.add_argument("--reason", default="", metavar="R")
        activate.add_argument("--wait", action="store_true", help="return when the run is finished")
        for act in _ACTS:
            ask = self._about(acts.add_parser(act, help=f"ask to {act}"))
            ask.add_argument("--reason", default="", metavar="R")
            add_as(ask)
        for acting in (load, submit, withdraw, activate):
            add_as(acting)
        for each in acts.choices.values():
            each.add_argument("--json", action="store_true", help="print one JSON document")

    def _about(self, parser: ArgumentParser) -> ArgumentParser:
        parser.add_argument("reference", metavar="REF")
        return parser

    def act(self, **options: Any) -> None:
        act = options["act"]
        if act in ("preview", "status", "list"):
            getattr(self, f"_{act}")(options)
            return
        actor = self.acting(options["as_user"])
        if act in _ACTS:
            lifecycle.ask(actor=actor, reference=options["reference"], act=_ACTS[act], reason=options["reason"])
            self._say(options, f"Asked for the {_ACTS[act]} of {options['reference']}; another person decides.")
        elif act in ("approve", "reject"):
            self._vote(actor, act, options)
        else:
            getattr(self, f"_{act}")(actor, options)

    def _say(self, options: dict[str, Any], text: str) -> None:
        if options["json"]:
            self.print_json(self._status_of(_directive(options["reference"])))
        else:
            self.stdout.write(text)

    def _load(self, actor: Actor, options: dict[str, Any]) -> None:
        file = options["file"]
        loaded = load_directives(actor=actor, document=read_yaml(file), read_file=beside(file))
        if options["json"]:
            self.print_json({"loaded": loaded})
        else:
            self.stdout.write(f"Loaded as drafts: {', '.join(loaded)}.")

    def _preview(self, options: dict[str, Any]) -> None:
        version = candidates.version_of(options["reference"], options["number"])
        if options["rule"]:
            question = candidates.with_rule(version, read_rule(options["rule"]))
        elif options["alternative"]:
            question = candidates.with_alternative(version, options["alternative"])
        else:
            question = candidates.of_version(version)
        document = previews.as_json(question, previews.preview_of(question))
        document |= {"second_baseline": previews.second_baseline(question)}
        document |= {"remarks": [remark.text for remark in remarks.about(question)]}
        if options["json"]:
            self.print_json(document)
            return
        self.stdout.write(document["rule_text"])
        for name in (
            "population", "covered", "unknown", "not_covered", "lose_access", "regain_access", "to_verify",
            "keep_by_waiver", "decisions_flipped",
        ):  # fmt: skip
            self.stdout.write(f"{name.replace('_', ' '):>18}  {document[name]:>9,}")
        if (beside := document["second_baseline"]) is not None:
            named = ", ".join(beside["without"])
            self.stdout.write(
                f"Without {named}, {beside['lose_access']:,} people would lose access by this version itself."
            )
        for note in (*document["warnings"], *document["remarks"]):
            self.stdout.write(f"Note: {note}")

    def _submit(self, actor: Actor, options: dict[str, Any]) -> None:
        request = lifecycle.submit(actor=actor, reference=options["reference"])
        stages = ", ".join(stage.name for stage in request.stages.all())
        self._say(options, f"Submitted. It waits for: {stages}.")

    def _vote(self, actor: Actor, verdict: str, options: dict[str, Any]) -> None:
        outcome = lifecycle.vote(
            actor=actor, reference=options["reference"], verdict=verdict, comment=options["comment"]
        )
        self._say(options, f"Recorded. The request is {outcome.state}.")

    def _withdraw(self, actor: Actor, options: dict[str, Any]) -> None:
        lifecycle.withdraw(actor=actor, reference=options["reference"])
        self._say(options, "Withdrawn.")

    def _activate(self, actor: Actor, options: dict[str, Any]) -> None:
        done = lifecycle.activate(
            actor=actor, reference=options["reference"], emergency=options["emergency"], reason=options["reason"]
        )
        run = runs.complete(run_id=done.run.pk, worker=os_user()) if options["wait"] else done.run
        run.refresh_from_db()
        assert done.version.in_force_at is not None
        if options["json"]:
            self.print_json(
                {
                    "reference": options["reference"],
                    "version": done.version.number,
                    "policy_epoch": done.policy_epoch,
                    "activated_at": done.version.in_force_at.isoformat(),
                    "run": queries.run_summary(run),
                }
            )
        else:
            self.stdout.write(
                f"{options['reference']} version {done.version.number} is in force. Everybody covered is denied since "
                f"{done.version.in_force_at.isoformat()}. Run {run.pk} is {run.state}."
            )

    def _status(self, options: dict[str, Any]) -> None:
        status = self._status_of(_directive(options["reference"]))
        if options["json"]:
            self.print_json(status)
        else:
            self.stdout.write(
                f"{status['reference']}: {status['state']}, version {status['version']}, "
                f"{status['restrictions']} restrictions, drift {status['drift']}"
            )

    def _list(self, options: dict[str, Any]) -> None:
        found = [
            {"reference": one.reference, "title": one.title, "state": queries.state_now(one)}
            for one in Directive.objects.select_related("version_in_force").order_by("reference")
        ]
        if options["json"]:
            self.print_json({"directives": found})
            return
        for row in found:
            self.stdout.write(f"{row['reference']}  {row['state']}  {row['title']}")

    def _status_of(self, directive: Directive) -> dict[str, Any]:
        request = approvals.requests_about(directive.subject).filter(state=RequestState.OPEN).first()
        newest = directive.versions.order_by("-number").first()
        number = directive.version_in_force.number if directive.version_in_force else newest.number if newest else None
        return {
            "reference": directive.reference,
            "state": queries.state_now(directive),
            "version": number,
            "versions": list(directive.versions.order_by("number").values("number", "state", "digest")),
            "request": {
                "kind": request.kind,
                "stages": [{"name": stage.name, "state": stage.state} for stage in request.stages.all()],
            }
            if request
            else None,
            "run": queries.run_summary(directive.runs.select_related("version").first()),
            "restrictions": queries.restriction_count(directive.pk),
            "drift": runs.drift_of(directive).total,
        }


def _directive(reference: str) -> Directive:
    directive = Directive.objects.select_related("version_in_force").filter(reference=reference).first()
    if directive is None:
        raise NotFound(f"There is no directive {reference}.")
    return directive
