"""Rights and roles. A role is a group with rights; a right is checked through ``User.has_right`` and nowhere else."""

from __future__ import annotations

RIGHTS: dict[str, str] = {
    "draft_directives": "Draft directives",
    "activate_directives": "Activate directives, ask for suspension and rescission, steer runs",
    "view_directives": "View directives and their history",
    "view_case_file": "View case files",
    "edit_case_file": "Edit case files",
    "view_people": "View people without sensitive values",
    "manage_people": "Import people",
    "view_held": "View held changes",
    "confirm_held": "Confirm or refuse held changes",
    "view_covered": "View lists of covered people",
    "reveal_sensitive": "Reveal sensitive values with a purpose",
    "view_exceptions": "View all exceptions",
    "hand_over_approvals": "Name somebody for a stage of an approval",
    "break_glass": "Open a waiver at once together with a second person, for at most four hours",
    "release_messages": "Release, hold and stop messages to people",
    "view_ledger": "View the ledger",
    "export_case": "Export case files",
    "view_rights": "View who can do what",
    "administer": "Administer accounts, roles, tokens and settings",
    "manage_catalog": "Load the catalog",
}

# By each of these a restriction could be loosened, alone or with somebody else's help: roles that carry one are given by two
# people while a directive is in force (docs/decisions/0015).
LOOSENING = frozenset(
    [
        "draft_directives", "activate_directives", "manage_people", "confirm_held", "hand_over_approvals", "break_glass",
        "administer", "manage_catalog",
    ]
)  # fmt: skip

OPERATOR = "operator"
LEAD = "trust-and-safety lead"
COUNSEL = "export-control counsel"
LEGAL = "legal"
EXECUTIVE = "executive"
PEOPLE_OPERATIONS = "people operations"
AUDITOR = "auditor"
ADMINISTRATOR = "administrator"
BREAK_GLASS = "break-glass"

_OPERATOR = (
    "draft_directives", "activate_directives", "view_directives", "view_case_file", "view_people", "view_covered",
    "view_exceptions", "view_ledger", "view_held",
)  # fmt: skip
_READ = (
    "view_directives", "view_case_file", "view_people", "view_covered", "view_exceptions", "view_ledger", "view_held",
)  # fmt: skip

ROLES: dict[str, tuple[str, ...]] = {
    OPERATOR: _OPERATOR,
    LEAD: (*_OPERATOR, "hand_over_approvals", "confirm_held", "release_messages"),
    COUNSEL: (*_READ, "edit_case_file", "reveal_sensitive", "confirm_held", "release_messages"),
    LEGAL: (*_READ, "draft_directives", "edit_case_file", "export_case", "reveal_sensitive", "release_messages"),
    EXECUTIVE: ("view_directives", "view_case_file", "view_exceptions", "hand_over_approvals"),
    PEOPLE_OPERATIONS: ("view_people", "manage_people", "reveal_sensitive", "view_held", "confirm_held"),
    AUDITOR: (*_READ, "view_rights"),
    ADMINISTRATOR: ("administer", "view_rights"),
    BREAK_GLASS: ("break_glass", "view_exceptions"),
}
