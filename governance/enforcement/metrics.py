"""Figures that a process keeps about its decisions, for Prometheus. No person and no country is a label.

With ``PROMETHEUS_MULTIPROC_DIR`` set (``make run`` does), all web processes are summed.
"""

from __future__ import annotations

import os
from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, multiprocess

_REGISTRY = CollectorRegistry()

DECISIONS = Counter("portcullis_decisions", "Decisions answered, by reason code.", ["code"], registry=_REGISTRY)
CANNOT_DECIDE = Counter("portcullis_cannot_decide", "Questions that could not be answered (503).", registry=_REGISTRY)
UNRECORDED = Counter(
    "portcullis_decisions_unrecorded",
    "Decisions answered that the log could not take.",
    registry=_REGISTRY,
)


def count(codes: Iterable[str]) -> None:
    """Count a batch of answers; called off the decision's path."""
    for code, number in Tally(codes).items():
        DECISIONS.labels(code).inc(number)


def collected() -> CollectorRegistry:
    """The figures of all processes where they are kept together, else of this one."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return _REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return registry
