"""Timing interleaved samples, and showing them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def seconds(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


@dataclass(frozen=True)
class Result:
    """One benchmark: samples of ours and of the reference, in pairs."""

    name: str
    unit: str
    ours: list[float]
    reference: list[float]
    note: str

    @property
    def ratio(self) -> float:
        """The median of the ratios of neighbouring samples: what the machine does to both cancels out."""
        return statistics.median(a / b for a, b in zip(self.ours, self.reference, strict=True))

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": round(statistics.median(self.ours), 4),
            "reference": round(statistics.median(self.reference), 4),
            "ratio": round(self.ratio, 3),
            "samples": len(self.ours),
            "spread": {
                "ours": [round(v, 4) for v in sorted(self.ours)],
                "reference": [round(v, 4) for v in sorted(self.reference)],
            },
            "note": self.note,
        }


def table(results: list[Result], people: int) -> str:
    lines = [f"{people:,} people", f"{'benchmark':<12} {'ours':>10} {'reference':>10} {'ratio':>7}  unit"]
    for result in results:
        found = result.as_json()
        lines.append(
            f"{result.name:<12} {found['ours']:>10} {found['reference']:>10} {found['ratio']:>7}  {result.unit}  ({result.note})"
        )
    return "\n".join(lines) + "\n"
