"""``EXTENDED=1`` makes property tests and tests under load long: what runs at each change stays under five minutes."""

from __future__ import annotations

import os

EXTENDED = os.environ.get("EXTENDED") == "1"


def examples(number: int) -> int:
    """How many examples a property test looks at: ``number`` at each change, twenty times as many when extended."""
    return number * 20 if EXTENDED else number
