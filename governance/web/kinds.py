"""Kinds of request as pages call them."""

from __future__ import annotations

_KINDS = {
    "exception": "Exception",
    "directive.activation": "Activation",
    "directive.activation.counsel": "Activation that needs counsel",
    "directive.suspension": "Suspension",
    "directive.resumption": "Resumption",
    "directive.rescission": "Rescission",
    "directive.confirmation": "Confirmation of an emergency",
    "approval.policy": "Approval policy",
}


def name_of(kind: str) -> str:
    return _KINDS.get(kind, kind)
