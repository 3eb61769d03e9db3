"""Who acts: every service takes an actor and asks it for its rights."""

from __future__ import annotations

from dataclasses import dataclass, field

from governance.accounts.models import User
from governance.accounts.rights import RIGHTS
from governance.errors import PermissionRefused

# What whoever administers the machine may do by commands without --as (CONTRACTS.md, *Commands*), and scheduled work.
_MACHINE = frozenset({"manage_people", "manage_catalog", "administer"})


@dataclass(frozen=True)
class Actor:
    """``name`` is what the ledger records; ``via`` names the operating-system user when a command acts for an account."""

    name: str
    user: User | None = None
    via: str = ""
    machine_rights: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def for_user(cls, user: User, via: str = "") -> Actor:
        return cls(user.username, user, via)

    @classmethod
    def machine(cls, name: str) -> Actor:
        """An actor without account: ``cli:<os user>`` or ``system:<job>``. It loads data; it never approves anything."""
        return cls(name, None, "", _MACHINE)

    def has(self, right: str) -> bool:
        return right in self.machine_rights if self.user is None else self.user.has_right(right)

    def require(self, right: str) -> None:
        """Raise ``PermissionRefused`` unless the actor has the right."""
        if not self.has(right):
            raise PermissionRefused(f"{self.name} may not do this. It needs the right: {RIGHTS[right].lower()}.")
