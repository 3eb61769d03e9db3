"""Exact questions about rules: is one narrower than another, do two overlap, is a branch dead? With a person for each *no*.

The vocabulary is finite and typed, so people fall into finitely many classes that rules can tell apart. A search over those
classes, cut short wherever the three-valued truth is settled already, decides each question or says *undetermined* when
its time is over. Tests hold it against brute force.
"""

from governance.rules.analysis.budget import Budget
from governance.rules.analysis.questions import (
    Branch,
    Comparison,
    Coverage,
    Finding,
    Relation,
    Verdict,
    compare,
    covers_everybody,
    covers_nobody,
    dead_branches,
    equivalent,
    implies,
    overlap,
    possible,
)

__all__ = [
    "Branch",
    "Budget",
    "Comparison",
    "Coverage",
    "Finding",
    "Relation",
    "Verdict",
    "compare",
    "covers_everybody",
    "covers_nobody",
    "dead_branches",
    "equivalent",
    "implies",
    "overlap",
    "possible",
]
