"""What stands beside the form of a directive: the plan, how the rule reads, what is proved of it, its test people, counts.

It is always of what is typed now. While something is unfinished there is no plan; the rest is of the parts that are finished,
so that no figure stands beside rows it does not belong to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import QueryDict

from governance.accounts.actor import Actor
from governance.directives import profiles
from governance.directives.content import VersionStatement
from governance.directives.models import Directive, DirectiveKind, DirectiveVersion
from governance.enforcement import candidates, remarks
from governance.errors import Invalid
from governance.rules import english, language
from governance.rules.language import RuleError
from governance.web import guarded
from governance.web.builder import Builder


def unsaved(post: QueryDict) -> DirectiveVersion:
    """A version of a directive that nobody has saved, as its form states it. Its ids are nobody's."""
    kind = post.get("kind", "")
    directive = Directive(
        pk=0,
        reference=post.get("reference", "").strip() or "This directive",
        title=post.get("title", ""),
        kind=kind if kind in DirectiveKind.values else DirectiveKind.ORDER,
        authority=post.get("authority", ""),
        comply_immediately=post.get("comply_immediately") == "on",
    )
    return DirectiveVersion(pk=0, directive=directive, number=1)


def beside(
    actor: Actor, version: DirectiveVersion, builder: Builder, read: Callable[[], VersionStatement]
) -> dict[str, Any]:
    """The context of the impact templates. ``read`` gives what the form states, or raises ``Invalid``."""
    builder.examine()
    for row, count in zip(builder.rows, guarded.counts(actor, builder.parts()), strict=True):
        row.count = count
    context = {"builder": builder, "sentence": _sentence(builder)}
    try:
        return context | _plan(actor, version, read())
    except Invalid as unfinished:
        return context | {"impact_errors": builder.told(unfinished.errors) or [("", unfinished.reason)]}


def _sentence(builder: Builder) -> str:
    finished = builder.finished_part()
    try:
        return english.sentence(language.parse(language.expand_groups(finished, builder.groups)))
    except RuleError:
        return ""


def _plan(actor: Actor, version: DirectiveVersion, statement: VersionStatement) -> dict[str, Any]:
    question = candidates.with_statement(version, statement)
    saved = bool(version.pk)
    return guarded.plan(actor, question) | {
        "remarks": remarks.about(question),
        "trials": profiles.run(version.directive, candidates.content.expand(statement.rule)) if saved else [],
    }
