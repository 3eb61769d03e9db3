"""``exception``: file, change or withdraw one, decide one, accept or decline its conditions, renew or revoke its waiver; drafts."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from governance.accounts.actor import Actor
from governance.accounts.commands import GovernanceCommand, add_as
from governance.enforcement.filing import directive_of
from governance.enforcement.services.exceptions import Wanted, edit_exception, file_draft, file_exceptions
from governance.enforcement.services.waivers import renew_waiver
from governance.errors import Invalid, NotFound
from governance.waivers import documents, queries, services
from governance.waivers.answers import Answers
from governance.waivers.attachments import MOST_BYTES, Attached, store
from governance.waivers.mitigations import MITIGATIONS
from governance.waivers.models import ExceptionDraft, ExceptionRequest, Waiver
from governance.waivers.states import ExceptionState

_MOST = 500


class Command(GovernanceCommand):
    help = "Exceptions, from the draft to the end of the waiver."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
        listing = acts.add_parser("list", help="the exceptions that the account may see, newest first")
        listing.add_argument("--state", choices=ExceptionState.values, metavar="S")
        listing.add_argument("--directive", metavar="REF")
        listing.add_argument("--limit", type=int, default=50, metavar="N")
        file = acts.add_parser(
            "file", help="ask that somebody keep some capabilities for some days; for several, all or none"
        )
        _add_people(file)
        edit = acts.add_parser("edit", help="change what an open exception asks for; decisions so far become void")
        for asks in (file, edit):
            _add_terms(asks)
        show = acts.add_parser("show", help="one exception, its conditions and its waiver")
        withdraw = acts.add_parser("withdraw", help="take an open exception back")
        votes = [acts.add_parser(verdict, help=f"{verdict} an exception") for verdict in ("approve", "reject")]
        for vote in votes:
            vote.add_argument("--comment", default="", metavar="C")
        votes[0].add_argument("--condition", default="", metavar="C", help="what the person has to keep to, beside it")
        waiting = acts.add_parser("open", help="open an approved exception that waits for a licence")
        waiting.add_argument("--licence", required=True, metavar="L")
        accept = acts.add_parser("accept", help="accept the conditions of one's own: its waiver opens")
        decline = acts.add_parser("decline", help="decline the conditions of one's own: nothing opens")
        for answer in (accept, decline):
            answer.add_argument("--digest", required=True, metavar="D", help="of the conditions, as show prints it")
        decline.add_argument("--words", default="", metavar="W")
        renew = acts.add_parser("renew", help="ask that the waiver of an exception goes on")
        revoke = acts.add_parser("revoke", help="end the waiver of an exception at once")
        revoke.add_argument("--reason", required=True, metavar="R")
        for one in (edit, show, withdraw, *votes, waiting, accept, decline, renew, revoke):
            one.add_argument("id", type=int, metavar="ID")
        drafts = acts.add_parser("draft", help="what is not filed yet").add_subparsers(
            dest="draft_act", required=True, metavar="ACT"
        )
        _add_drafts(drafts)
        for each in (*(parser for name, parser in acts.choices.items() if name != "draft"), *drafts.choices.values()):
            add_as(each)
            each.add_argument("--json", action="store_true", help="print one JSON document")

    def act(self, **options: Any) -> None:
        actor = self.acting(options["as_user"])
        assert actor.user is not None
        act = options["act"]
        if act == "draft":
            getattr(self, f"_draft_{options['draft_act']}")(actor, options)
        elif act in ("list", "show", "file"):
            getattr(self, f"_{act}")(actor, options)
        else:
            self._tell([_ACTS[act](actor, options)], options)

    def _list(self, actor: Actor, options: dict[str, Any]) -> None:
        if not 1 <= options["limit"] <= _MOST:
            raise Invalid("The list cannot be shown.", [("limit", f"must be from 1 to {_MOST}")])
        found = _visible(actor)
        if options["state"]:
            found = found.filter(state=options["state"])
        if options["directive"]:
            found = found.filter(directive__reference=options["directive"])
        rows = [documents.exception_row(one) for one in found.order_by("-pk")[: options["limit"]]]
        if options["json"]:
            self.print_json({"exceptions": rows})
            return
        for row in rows:
            asked = ", ".join(f"{item['model']}/{item['capability']}" for item in row["items"])
            self.stdout.write(f"{row['id']}  {row['state']}  {row['person']}  {row['directive']}  {asked}")

    def _show(self, actor: Actor, options: dict[str, Any]) -> None:
        assert actor.user is not None
        document = documents.exception_for(actor.user, _find(actor, options["id"]))
        if options["json"]:
            self.print_json(document)
            return
        self.stdout.write(f"Exception {document['id']} for {document['person']} is {document['state']}.")
        for condition in document["conditions"]:
            self.stdout.write(f"  Condition: {condition}")
        if document["conditions_digest"]:
            self.stdout.write(f"  Digest of the conditions: {document['conditions_digest']}")
        for stage in document["stages"]:
            self.stdout.write(f"  {stage['name']}: {stage['state']}")

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

    def _draft_list(self, actor: Actor, options: dict[str, Any]) -> None:
        found = [_draft_json(one) for one in queries.drafts_of(_user(actor)).order_by("-changed_at")[:_MOST]]
        if options["json"]:
            self.print_json({"drafts": found})
            return
        for one in found:
            self.stdout.write(f"{one['key']}  {one['directive']}  {', '.join(one['people'])}")

    def _draft_save(self, actor: Actor, options: dict[str, Any]) -> None:
        directive = directive_of(actor, options["directive"])
        people = list(dict.fromkeys(options["person"]))
        chosen = ["/".join(item) for item in _items(options)]
        answers = Answers(
            people, {person: chosen for person in people}, str(options["days"]), options["reason"],
            options["mitigation"] or "none", options["licence"] or "", options["conditions"],
        )  # fmt: skip
        draft = services.save_draft(
            actor=actor, key=options["key"] or uuid4(), directive=directive, person_ids=people,
            values=answers.as_values(), attached=[_attach(path) for path in options["attach"]] or None,
        )  # fmt: skip
        self._tell_draft(draft, options, f"The draft is kept: {draft.key}.")

    def _draft_file(self, actor: Actor, options: dict[str, Any]) -> None:
        self._tell(file_draft(actor=actor, key=options["key"]), options)

    def _draft_discard(self, actor: Actor, options: dict[str, Any]) -> None:
        services.delete_draft(actor=actor, key=options["key"])
        if options["json"]:
            self.print_json({"key": str(options["key"]), "state": "discarded"})
        else:
            self.stdout.write("The draft is gone.")

    def _draft_decline(self, actor: Actor, options: dict[str, Any]) -> None:
        draft = services.decline(actor=actor, key=options["key"], answer=options["answer"])
        self._tell_draft(draft, options, f"{draft.asked_by} reads your answer.")

    def _tell_draft(self, draft: ExceptionDraft, options: dict[str, Any], words: str) -> None:
        if options["json"]:
            self.print_json(_draft_json(draft))
        else:
            self.stdout.write(words)


# -- what the command line says ----------------------------------------------------------------------------------------


def _add_people(parser: ArgumentParser) -> None:
    parser.add_argument("--directive", required=True, metavar="REF")
    parser.add_argument("--person", required=True, nargs="+", action="extend", metavar="ID")


def _add_terms(parser: ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="M")
    parser.add_argument("--capability", required=True, nargs="+", action="extend", metavar="C")
    parser.add_argument("--days", required=True, type=int, metavar="N")
    parser.add_argument("--reason", required=True, metavar="R")
    parser.add_argument("--licence", metavar="L")
    parser.add_argument("--mitigation", default="", choices=["", *(one.name for one in MITIGATIONS)], metavar="M")
    parser.add_argument("--conditions", default="", metavar="C", help="for the person to accept before it opens")
    parser.add_argument("--attach", nargs="+", action="extend", default=[], type=Path, metavar="FILE")


def _add_drafts(drafts: Any) -> None:
    drafts.add_parser("list", help="those that the account may go on with")
    save = drafts.add_parser("save", help="keep one, acceptable or not")
    save.add_argument("--key", type=UUID, metavar="KEY", help="of a draft to be replaced")
    _add_people(save)
    _add_terms(save)
    decline = drafts.add_parser("decline", help="do not file what somebody asked for")
    decline.add_argument("--answer", required=True, metavar="A")
    for one in (
        drafts.add_parser("file", help="file it, for everybody in it or nobody"),
        drafts.add_parser("discard", help="throw it away"),
        decline,
    ):
        one.add_argument("key", type=UUID, metavar="KEY")


def _items(options: dict[str, Any]) -> list[tuple[str, str]]:
    return [(options["model"], capability) for capability in options["capability"]]


def _terms(options: dict[str, Any]) -> dict[str, Any]:
    terms = {name: options[name] for name in ("days", "reason", "licence", "mitigation", "conditions")}
    return terms | {"attached": [_attach(path) for path in options["attach"]]}


def _attach(path: Path) -> Attached:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Invalid("A file cannot be read.", [("attachments", f"{path}: {error.strerror}")]) from None
    return store(path.name, content)


# -- what is done with one exception -----------------------------------------------------------------------------------


def _edit(actor: Actor, options: dict[str, Any]) -> ExceptionRequest:
    edit_exception(actor=actor, exception_id=options["id"], items=_items(options), **_terms(options))
    return ExceptionRequest.objects.get(pk=options["id"])


def _vote(actor: Actor, options: dict[str, Any]) -> ExceptionRequest:
    return services.decide_exception(
        actor=actor, exception_id=options["id"], verdict=options["act"], comment=options["comment"],
        condition=options.get("condition", ""),
    )  # fmt: skip


def _revoke(actor: Actor, options: dict[str, Any]) -> ExceptionRequest:
    services.revoke_waiver(actor=actor, waiver_id=_waiver_of(actor, options), reason=options["reason"])
    return ExceptionRequest.objects.get(pk=options["id"])


def _waiver_of(actor: Actor, options: dict[str, Any]) -> int:
    found = Waiver.objects.filter(request=_find(actor, options["id"])).values_list("pk", flat=True).first()
    if found is None:
        raise NotFound(f"Exception {options['id']} has no waiver.")
    return found


_ACTS: dict[str, Callable[[Actor, dict[str, Any]], ExceptionRequest]] = {
    "edit": _edit,
    "withdraw": lambda actor, options: services.withdraw_exception(actor=actor, exception_id=options["id"]),
    "approve": _vote,
    "reject": _vote,
    "open": lambda actor, options: services.open_waiting(
        actor=actor, exception_id=options["id"], licence=options["licence"]
    ),
    "accept": lambda actor, options: services.accept_conditions(
        actor=actor, exception_id=options["id"], digest=options["digest"]
    ),
    "decline": lambda actor, options: services.decline_conditions(
        actor=actor, exception_id=options["id"], digest=options["digest"], words=options["words"]
    ),
    "renew": lambda actor, options: renew_waiver(actor=actor, waiver_id=_waiver_of(actor, options)),
    "revoke": _revoke,
}


def _user(actor: Actor) -> Any:
    return actor.user


def _visible(actor: Actor) -> Any:
    return queries.exceptions_visible_to(_user(actor)).prefetch_related(
        "model_capabilities__model", "model_capabilities__capability"
    )


def _find(actor: Actor, exception_id: int) -> ExceptionRequest:
    found: ExceptionRequest | None = _visible(actor).filter(pk=exception_id).first()
    if found is None:
        raise NotFound(f"There is no exception {exception_id} that you may see.")
    return found


def _as_json(request: ExceptionRequest) -> dict[str, Any]:
    return {"id": request.pk, "state": str(request.state), "stages": documents.progress(request)["stages"]}


def _draft_json(draft: ExceptionDraft) -> dict[str, Any]:
    return {
        "key": str(draft.key), "directive": draft.directive.reference, "people": draft.values.get("people", []),
        "asked_by": draft.asked_by_id, "state": str(draft.state), "changed_at": draft.changed_at.isoformat(),
    }  # fmt: skip
