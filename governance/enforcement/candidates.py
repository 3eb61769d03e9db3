"""Turning a stored version, a bare rule or an alternative reading into a candidate for a preview."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from governance.directives import content
from governance.directives import services as directives
from governance.directives.content import Reader, ScopeLine, VersionStatement
from governance.directives.models import Alternative, Directive, DirectiveVersion, OnUnknown
from governance.enforcement import policy as policies
from governance.enforcement.policy import CompiledRule, DirectiveRule, ScopeEntry
from governance.enforcement.preview import Candidate
from governance.errors import Invalid, NotFound
from governance.moments import now
from governance.rules import language


@dataclass(frozen=True)
class Question:
    """What a preview is asked about: a directive's version, with what is put in its place."""

    directive: Directive
    version: DirectiveVersion
    statement: VersionStatement
    digest: str


def of_version(version: DirectiveVersion) -> Question:
    """The stored version, with the country groups of the moment at which it was fixed."""
    statement = replace(VersionStatement.of(version), rule=version.rule_as_fixed)
    return Question(version.directive, version, statement, version.digest or content.digest(version))


def with_rule(version: DirectiveVersion, rule: Any) -> Question:
    """The version with another rule; not stored, no legal basis needed. Raises ``Invalid`` with paths."""
    reader = Reader.of_catalog()
    reader.rule(rule, "rule")
    reader.finish("The rule")
    return _question(version, {"rule": rule})


def with_alternative(version: DirectiveVersion, slug: str) -> Question:
    """A reading from the case. It inherits what it does not state; a scope of its own leaves derived models out."""
    alternative = Alternative.objects.filter(directive=version.directive, slug=slug).first()
    if alternative is None:
        raise NotFound(f"{version.directive.reference} has no alternative {slug}.")
    return _question(version, alternative.statement)


def with_statement(version: DirectiveVersion, statement: VersionStatement) -> Question:
    """The version with content that is being composed and is not stored yet."""
    marker = hashlib.sha256(language.canonical(_plain(statement))).hexdigest()
    return Question(version.directive, version, statement, marker)


def is_saved(question: Question) -> bool:
    """Whether the question is about its version as it is stored, not about what is being typed or another reading."""
    version = question.version
    return bool(version.pk) and _plain(question.statement) == _plain(VersionStatement.of(version))


def _question(version: DirectiveVersion, stated: dict[str, Any]) -> Question:
    reader = Reader.of_catalog()
    changes: dict[str, Any] = {}
    if "rule" in stated:
        changes["rule"] = stated["rule"]
    if "scope" in stated:
        changes["scope"] = reader.scope(stated["scope"], "scope")
        changes["include_derived"] = bool(stated.get("include_derived", False))
    elif "include_derived" in stated:
        changes["include_derived"] = bool(stated["include_derived"])
    if "on_unknown" in stated:
        changes["on_unknown_then"], changes["on_unknown_hours"] = reader.unknown_policy(
            stated["on_unknown"], "on_unknown"
        )
    if "effect" in stated:
        changes["effect"] = stated["effect"]
    reader.finish("The alternative")
    statement = VersionStatement(**{**VersionStatement.of(version).__dict__, **changes})
    return with_statement(version, statement)


def _plain(statement: VersionStatement) -> dict[str, Any]:
    return {
        "rule": content.expand(statement.rule),
        "scope": sorted([line.model_id, line.capability_id or 0] for line in statement.scope),
        "effect": str(statement.effect),
        "on_unknown": [str(statement.on_unknown_then), statement.on_unknown_hours or 0],
        "include_derived": statement.include_derived,
    }


def candidate(question: Question) -> Candidate:
    """The candidate a preview computes: its scope resolved against the catalog as it is, its clocks as of activation now."""
    directive, statement = question.directive, question.statement
    if question.version.pk == directive.version_in_force_id:
        statement = replace(statement, restart_verify=False)  # its clock runs already
    deadline = None
    if statement.on_unknown_then == OnUnknown.VERIFY:
        deadline = directives.verify_deadline(directive, statement, now())
    try:
        rule = CompiledRule(language.parse(content.expand(statement.rule)))
    except language.RuleError as error:
        raise Invalid("The rule is not acceptable.", error.errors) from None
    shape = policies.load().catalog
    return Candidate(
        reference=directive.reference,
        number=question.version.number,
        digest=question.digest,
        rule=DirectiveRule(
            directive_id=directive.pk,
            reference=directive.reference,
            title=directive.title,
            kind=directive.kind,
            effect=statement.effect,
            rule=rule,
            on_unknown=statement.on_unknown_then,
            verify_deadline=deadline,
            effective_at=statement.effective_at,
            expires_at=statement.expires_at,
            waivable=statement.columns(outside=directive.from_outside)["waivable"],
            scope=shape.resolve(_entries(statement.scope), include_derived=statement.include_derived),
        ),
        replaces=frozenset({statement.replaces_id} if statement.replaces_id else set()),
        ends_waivers=statement.waivers == "end",
        waivers_end_by=content.waivers_end_by(statement, now()),
    )


def _entries(scope: tuple[ScopeLine, ...]) -> list[ScopeEntry]:
    return [ScopeEntry(line.model_id, line.capability_id) for line in scope]


def version_of(reference: str, number: int | None = None) -> DirectiveVersion:
    """The version named, else the draft or submitted one, else the one in force, else the newest. Raises ``NotFound``."""
    versions = DirectiveVersion.objects.filter(directive__reference=reference).select_related("directive", "replaces")
    if number is not None:
        found = versions.filter(number=number).first()
        if found is None:
            raise NotFound(f"There is no version {number} of {reference}.")
        return found
    newest = versions.order_by("-number").first()
    if newest is None:
        raise NotFound(f"There is no directive {reference}.")
    if newest.state in ("draft", "submitted", "approved"):
        return newest
    return newest.directive.version_in_force or newest
