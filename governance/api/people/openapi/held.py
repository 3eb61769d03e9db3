"""Held changes."""

from __future__ import annotations

from typing import Any

from governance.api.people.openapi.parts import (
    COUNT,
    TEXT,
    TIME,
    YES,
    after_key,
    listed,
    many,
    of_one,
    operation,
    or_null,
    record,
)

_EFFECT = record(
    "How many decisions would turn from deny to permit, of how many people.", decisions=COUNT, people=COUNT
)
SCHEMAS: dict[str, Any] = {
    "Held": listed(
        "held",
        record(
            id=TEXT, proposed_by=TEXT, proposed_at=TIME, if_confirmed=_EFFECT, if_refused=_EFFECT,
            differences=many(
                record("Of a sensitive attribute only that it differs.", label=TEXT, hidden=YES, before=TEXT, after=TEXT)
            ),
            refusal=or_null(TEXT) | {"description": "Why the account cannot decide it; null if it can."},
        ),
        TEXT,
    ),
    "HeldVerdict": record(
        verdict={"enum": ["confirm", "refuse"]}, proposed_at=TEXT | {"description": "That of the change as it was read."}
    ),
    "HeldDecided": record(id=TEXT, verdict={"enum": ["confirm", "refuse"]}),
}  # fmt: skip
PATHS: dict[str, Any] = {
    "/api/v1/held/{of}": of_one(
        "of", get=operation("held", "What waits for a second person, by its id", "Held", parameters=after_key(TEXT))
    ),
    "/api/v1/held/{of}/{name}": of_one(
        "of", "name", post=operation("decide_held", "Confirm or refuse one", "HeldDecided", sent="HeldVerdict")
    ),
}  # fmt: skip
