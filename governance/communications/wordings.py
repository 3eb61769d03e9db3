"""The standard words for each audience, the names that may stand in them, and filling those in for one person.

No name gives away why a rule covers somebody: words are the same for whoever is covered and whoever is unknown, and there is none
for an attribute. What a message never says is listed in ``LEFT_OUT``, for whoever reads it before it goes out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.urls import reverse

from governance.communications.models import Audience
from governance.directives.models import Directive, DirectiveKind
from governance.errors import Invalid
from governance.moments import local, words

LONGEST_SUBJECT, LONGEST_BODY = 150, 4000
NAMES: Mapping[str, str] = {
    "first_name": "the person’s given name",
    "models": "the models, with the capabilities where not all of one are meant",
    "order": "what stops it: a government order, a company pause, a company policy",
    "title": "the directive’s title",
    "reference": "the directive’s reference",
    "since": "when it took effect",
    "verify_by": "until when access stays on for people who are asked to settle their record",
    "people": "how many of a manager’s people it is about",
    "my_access": "the address of My access",
    "affected": "the address of a manager’s affected people",
}
_FOR: Mapping[str, frozenset[str]] = {
    Audience.OFF: frozenset(NAMES) - {"people", "affected", "verify_by"},
    Audience.VERIFY: frozenset(NAMES) - {"people", "affected"},
    Audience.BACK: frozenset(NAMES) - {"people", "affected", "verify_by"},
    Audience.OFF_MANAGER: frozenset(NAMES) - {"my_access", "verify_by"},
    Audience.BACK_MANAGER: frozenset(NAMES) - {"my_access", "verify_by"},
}
LEFT_OUT = (
    "Citizenship, residency and every other attribute, and which of them a rule asks about",
    "Whether somebody is covered or not known: both read the same words",
    "The names of people, but in the greeting; a manager finds them on the page, after signing in",
    "The letter, its case file and our correspondence with the authority",
)


@dataclass(frozen=True)
class Text:
    subject: str
    body: str


STANDARD: Mapping[str, Text] = {
    Audience.OFF: Text(
        "You can’t use {models} for now",
        "Hello {first_name},\n\n"
        "Since {since} you can’t use {models}. {order} stops it: “{title}”. It is not about anything you did. Your job, pay and "
        "other tools stay as they are.\n\n"
        "What you can do:\n"
        "- See what is on and off for you, and ask for an exception for work that cannot wait: {my_access}\n"
        "- If our record about you may be wrong, tell people operations. They settle it with you.\n"
        "- Talk to your manager, or to trust and safety. They answer questions about it.\n\n"
        "We tell you when your access comes back.",
    ),
    Audience.VERIFY: Text(
        "Please settle your record by {verify_by}",
        "Hello {first_name},\n\n"
        "{order} applies to {models}: “{title}”. Something it asks about is not on record for you. Your access stays on until "
        "{verify_by}; after that it is off until the record is settled.\n\n"
        "What you can do: tell people operations, who settle it with you and keep no documents. Where you stand: {my_access}",
    ),
    Audience.OFF_MANAGER: Text(
        "Some of your people can’t use {models} for now",
        "Hello {first_name},\n\n"
        "Since {since}, {people} can’t use {models}. {order} stops it: “{title}”. It is not about anything they did, and we told "
        "each of them.\n\n"
        "Who they are, and how to ask for an exception for work that cannot wait: {affected}\n\n"
        "Please do not ask anybody for their citizenship or residency. Nobody needs it from you, and people operations settle "
        "records.",
    ),
    Audience.BACK: Text(
        "You can use {models} again",
        "Hello {first_name},\n\n"
        "You can use {models} again. What had stopped it, “{title}”, no longer applies to you. There is nothing you need to do.\n\n"
        "What is on for you: {my_access}",
    ),
    Audience.BACK_MANAGER: Text(
        "Some of your people can use {models} again",
        "Hello {first_name},\n\n"
        "Access to {models} is back for {people}. What had stopped it, “{title}”, no longer applies to them. We told each of "
        "them.\n\n"
        "Whose access is still off: {affected}",
    ),
}


@dataclass(frozen=True)
class Facts:
    """What is filled in for one person. ``models``, ``order``, … are words already."""

    first_name: str
    models: str
    order: str
    title: str
    reference: str
    since: str
    verify_by: str = ""
    people: str = ""

    def values(self) -> dict[str, str]:
        base = settings.PUBLIC_URL or f"http://localhost:{settings.PORT}"
        return self.__dict__ | {
            "my_access": base + reverse("my-access"),
            "affected": base + reverse("affected"),
        }


_NAME = re.compile(r"\{([^{}]*)\}")


def check(audience: str, subject: str, body: str) -> Text:
    """The words as they are kept. Raises ``Invalid`` with the field for what is empty, too long, or names what is not filled in."""
    text = Text(" ".join(subject.split()), body.replace("\r\n", "\n").strip())
    errors = []
    for field, value, longest in (("subject", text.subject, LONGEST_SUBJECT), ("body", text.body, LONGEST_BODY)):
        if not value:
            errors.append((field, "is required"))
        elif len(value) > longest:
            errors.append((field, f"may have {longest} characters; it has {len(value)}"))
        for name in _NAME.findall(value):
            if name not in _FOR[audience]:
                known = ", ".join(f"{{{known}}}" for known in sorted(_FOR[audience]))
                errors.append((field, f"{{{name}}} is nothing that can be filled in here; these can: {known}"))
        if _NAME.sub("", value).count("{") or _NAME.sub("", value).count("}"):
            errors.append((field, "has a brace without its partner"))
    if errors:
        raise Invalid("These words cannot be sent.", errors)
    return text


def names_for(audience: str) -> list[tuple[str, str]]:
    return [(name, NAMES[name]) for name in NAMES if name in _FOR[audience]]


def fill(text: Text, facts: Facts) -> Text:
    """The words for one person. A name that is not known stays as it was written."""
    values = facts.values()

    def one(words: str) -> str:
        return _NAME.sub(lambda match: values.get(match[1], match[0]), words)

    return Text(one(text.subject)[: 2 * LONGEST_SUBJECT], one(text.body))


def order_of(directive: Directive) -> str:
    if directive.kind == DirectiveKind.PAUSE:
        return "A company pause"
    return "A government order" if directive.authority else "A company policy"


def moment(at: datetime | None) -> str:
    return words(local(at)) if at is not None else "now"


def models_named(items: Iterable[int], by_model: Mapping[str, Mapping[int, str]]) -> str:
    """Models in words: the model alone where everything of it that is offered is meant, else with its capabilities.

    ``by_model`` has the enabled capabilities of each model, by the id of the model capability.
    """
    wanted, told = set(items), []
    for model, capabilities in by_model.items():
        meant = [name for item, name in capabilities.items() if item in wanted]
        if meant:
            told.append(model if len(meant) == len(capabilities) else f"{model} ({', '.join(meant).lower()})")
    return f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else "".join(told) or "the models it is about"


def people_counted(count: int) -> str:
    return "one of your people" if count == 1 else f"{count:,} of your people"
