"""The one approvals engine: open a request, decide it, talk about it, let time pass. Callers act on the outcome it returns.

It knows no subject: a request is about text and a content digest. Stages are resolved from the policy in force when the
request is opened, and frozen with it.
"""

from governance.approvals.selection import Risk
from governance.approvals.services.common import Outcome, lock, open_digest, open_request_for
from governance.approvals.services.delegations import delegate, revoke
from governance.approvals.services.policies import decide_policy, propose_policy, read_stages
from governance.approvals.services.requests import (
    ConflictSpec,
    Relations,
    open_request,
    revise,
    set_aside,
    withdraw,
)
from governance.approvals.services.talk import answer, ask_back, comment, hand_over
from governance.approvals.services.time import overdue, pass_time, remind
from governance.approvals.services.votes import vote

__all__ = [
    "ConflictSpec",
    "Outcome",
    "Relations",
    "Risk",
    "answer",
    "ask_back",
    "comment",
    "decide_policy",
    "delegate",
    "hand_over",
    "lock",
    "open_digest",
    "open_request",
    "open_request_for",
    "overdue",
    "pass_time",
    "propose_policy",
    "read_stages",
    "remind",
    "revise",
    "revoke",
    "set_aside",
    "vote",
    "withdraw",
]
