"""``/api/v1/``: approvals and exceptions for people's own programs, by the same services and rules as the pages."""
