"""One act, one transaction, one kind of refusal: what the database refuses is told in words, never as a failure."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import Error, transaction
from psycopg import errors

from governance.errors import WrongState

_P = ParamSpec("_P")
_R = TypeVar("_R")


def act(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Run a service function in a transaction; constraints and triggers that refuse raise ``WrongState``.

    The services check first and say more; this is for the loser of a race and for what a check forgot. What PostgreSQL says
    in detail may hold values of the row, so only the text that a trigger of ours chose is passed on.
    """

    @wraps(function)
    def acting(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            with transaction.atomic():
                return function(*args, **kwargs)
        except Error as error:
            cause = error.__cause__
            if isinstance(cause, errors.RaiseException):
                words = cause.diag.message_primary or ""
                raise WrongState(f"This is not possible in the state things are in: {words}.") from error
            if isinstance(cause, errors.UniqueViolation):
                raise WrongState("Somebody else did the same at this moment. Look at it again.") from error
            raise

    return acting
