"""The tables of approvals."""

from governance.approvals.models.people import Comment, CommentKind, Delegation
from governance.approvals.models.policies import ApprovalPolicy, AtEnd, PolicyStage
from governance.approvals.models.requests import Conflict, Request, RequestStage, StageApprover, Verdict, Vote

__all__ = [
    "ApprovalPolicy",
    "AtEnd",
    "Comment",
    "CommentKind",
    "Conflict",
    "Delegation",
    "PolicyStage",
    "Request",
    "RequestStage",
    "StageApprover",
    "Verdict",
    "Vote",
]
