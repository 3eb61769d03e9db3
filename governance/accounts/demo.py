"""The demo accounts of CONTRACTS.md, *Roles and demo accounts*."""

from __future__ import annotations

from dataclasses import dataclass

from governance.accounts import rights


@dataclass(frozen=True)
class DemoAccount:
    username: str
    full_name: str
    email: str
    roles: tuple[str, ...] = ()
    about: str = ""


DEMO_ACCOUNTS = (
    DemoAccount("lucia", "Lucía Prado", "lucia.prado@example.com", (rights.OPERATOR,), "operator"),
    DemoAccount("tomas", "Tomas Berg", "tomas.berg@example.com", (rights.OPERATOR,), "operator"),
    DemoAccount(
        "idris", "Idris Vale", "idris.vale@example.com", (rights.LEAD, rights.BREAK_GLASS), "trust-and-safety lead"
    ),
    DemoAccount("peter", "Peter Osei", "peter.osei@example.com", (rights.COUNSEL,), "export-control counsel"),
    DemoAccount("anjali", "Anjali Rao", "anjali.rao@example.com", (rights.LEGAL,), "legal"),
    DemoAccount("maren", "Maren Holt", "maren.holt@example.com", (rights.EXECUTIVE, rights.BREAK_GLASS), "executive"),
    DemoAccount("teo", "Teo Martins", "teo.martins@example.com", (rights.PEOPLE_OPERATIONS,), "people operations"),
    DemoAccount("hana", "Hana Kimura", "hana.kimura@example.com", (), "manager"),
    DemoAccount("jonas", "Jonas Weber", "jonas.weber@example.com", (), "manager"),
    DemoAccount("wei", "Wei Zhang", "wei.zhang@example.com", (), "employee"),
    DemoAccount("auditor", "Auditor", "auditor@audit.example", (rights.AUDITOR,), "auditor"),
    DemoAccount("admin", "Administrator", "admin@admin.example", (rights.ADMINISTRATOR,), "platform administrator"),
)
