"""Pages of who can do what; owners, counsel and stewards on theirs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.accounts import objects
from governance.accounts.models import User
from governance.accounts.object_services import give
from governance.approvals import services as approvals
from governance.approvals.models import Request
from governance.catalog.models import AIModel
from governance.directives.models import Directive
from governance.enforcement import who_can_do_what
from governance.enforcement.services.exceptions import file_exception
from governance.errors import PermissionRefused
from governance.ledger.models import Entry
from governance.moments import now
from governance.people.models import Organisation, Person
from governance.waivers.queries import exceptions_visible_to
from tests.approvals.policies import put_in_force
from tests.conftest import REFERENCE

pytestmark = pytest.mark.django_db
GIVE = "/rights/organisations/gridworks/give"


def text(response: Any) -> str:
    return response.content.decode()


@pytest.fixture
def ines(machine: Any) -> User:
    """The owner of Gridworks, who is a member of it herself (p027)."""
    owner = User.objects.create_user("ines", "ines.costa@example.net", full_name="Ines Costa")
    give(actor=machine, permission=objects.OWNER, thing=Organisation.objects.get(pk="gridworks"), account="ines")
    return owner


# -- owners ------------------------------------------------------------------------------------------------------------


def test_an_owner_sees_the_members_and_nobody_else(ines: User, sign_in: Callable[[str], Client], in_force: Any) -> None:
    client = sign_in("ines")
    shown = text(client.get("/people/"))
    assert "Dmitri Ivanov" in shown
    assert "Ines Costa" in shown
    for stranger in ("Wei Zhang", "Ella Tremblay", "Northbank"):
        assert stranger not in shown
    assert client.get("/people/p028/").status_code == 200
    for address in ("/people/p029/", "/people/p009/", "/people/nobody/"):
        assert client.get(address).status_code == 404, address
    for query in ("?organisation=northbank", "?q=Tremblay", "?q=Wei"):
        assert "Nobody fits" in text(client.get(f"/people/{query}")), query
    assert client.get("/people/?can=fable-5/use").status_code == 403, "who can use something is not for owners"
    assert "Russia" not in text(client.get("/people/p028/"))


def test_an_owner_sees_whose_access_is_off_and_files_for_them(
    ines: User, sign_in: Callable[[str], Client], in_force: Any
) -> None:
    client = sign_in("ines")
    shown = text(client.get("/affected"))
    assert "Dmitri Ivanov" in shown
    assert "Tremblay" not in shown
    address = f"/exceptions/new?person=p028&directive={REFERENCE}"
    assert client.get(address).status_code == 200
    sent = client.post(
        address,
        {"person": "p028", "directive": REFERENCE, "item": "fable-5/use", "days": "7", "reason": "Hardening",
         "mitigation": "supervised"},
    )  # fmt: skip
    assert sent.status_code == 302
    assert Entry.objects.filter(action="exception.filed", actor="ines").exists()
    assert "Exception" in text(client.get("/people/p028/"))


def test_an_owner_files_neither_for_strangers_nor_for_themselves(ines: User, act_as: Any, in_force: Any) -> None:
    for person in ("p029", "p009", "p027"):
        with pytest.raises(PermissionRefused):
            file_exception(
                actor=act_as("ines"), reference=REFERENCE, person_id=person, items=[("fable-5", "use")], days=7, reason="x"
            )  # fmt: skip


def test_an_owner_sees_the_exceptions_of_members_whoever_filed_them(ines: User, act_as: Any, in_force: Any) -> None:
    other = User.objects.create_user("second", "second@example.net")
    give(
        actor=act_as("admin"),
        permission=objects.OWNER,
        thing=Organisation.objects.get(pk="gridworks"),
        account="second",
    )
    asked = file_exception(
        actor=act_as("second"), reference=REFERENCE, person_id="p028", items=[("fable-5", "use")], days=7, reason="x"
    )
    assert list(exceptions_visible_to(ines)) == [asked]
    Person.objects.filter(pk="p028").update(organisation_id="northbank", manager=None)
    assert not exceptions_visible_to(ines).exists(), "who has moved away is no member any more"
    assert list(exceptions_visible_to(other)) == [asked], "what one filed stays one's own"


def test_lists_ask_as_many_questions_for_many_members_as_for_few(
    ines: User, sign_in: Callable[[str], Client], in_force: Any
) -> None:
    client = sign_in("ines")
    counts = []
    for batch in range(2):
        Person.objects.bulk_create(
            Person(
                id=f"m{batch}{n}", kind="partner", status="active", given_name="M", family_name=str(n),
                email=f"m{batch}{n}@example.net", organisation_id="gridworks",
            )
            for n in range(20)
        )  # fmt: skip
        client.get("/people/")
        for address in ("/people/", "/affected", "/people/p028/"):
            with CaptureQueriesContext(connection) as captured:
                client.get(address)
            counts.append((address, len(captured)))
    assert counts[:3] == counts[3:]


# -- cases -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("permission", objects.CASE)
def test_counsel_and_reviewers_read_the_case_file_of_theirs_alone(
    permission: str, machine: Any, sign_in: Callable[[str], Client]
) -> None:
    other = Directive.objects.create(reference="OTHER-1", title="Another")
    client = sign_in("teo")
    for reference in (REFERENCE, "NOTHING"):
        assert client.get(f"/directives/{reference}/case").status_code == 403
    give(actor=machine, permission=permission, thing=Directive.objects.get(reference=REFERENCE), account="teo")
    shown = text(client.get(f"/directives/{REFERENCE}/case"))
    assert "Case file" in shown
    assert f'href="/directives/{REFERENCE}/"' not in shown, "what the account may not open is not offered"
    letter = Directive.objects.get(reference=REFERENCE).case_file.exclude(content=None)[0]
    assert client.get(f"/directives/{REFERENCE}/case/{letter.pk}").status_code == 200
    for reference in (other.reference, "NOTHING"):
        assert client.get(f"/directives/{reference}/case").status_code == 404, reference
        assert client.get(f"/directives/{reference}/case/{letter.pk}").status_code == 404, reference
    assert client.get(f"/directives/{REFERENCE}/").status_code == 403


# -- approvals by relation ---------------------------------------------------------------------------------------------


def test_a_steward_without_any_role_finds_and_decides_what_waits(
    machine: Any, act_as: Any, sign_in: Callable[[str], Client], in_force: Any
) -> None:
    put_in_force("exception", {"name": "Steward", "position": 1, "relations": ["model.steward"]})
    give(actor=machine, permission=objects.STEWARD, thing=AIModel.objects.get(slug="fable-5"), account="jonas")
    file_exception(
        actor=act_as("hana"), reference=REFERENCE, person_id="p009", items=[("fable-5", "use")], days=7, reason="x"
    )
    client = sign_in("jonas")
    number = Request.objects.get(kind="exception").pk
    assert f'href="/approvals/{number}/"' in text(client.get("/approvals/"))
    assert client.get(f"/approvals/{number}/").status_code == 200
    assert sign_in("wei").get(f"/approvals/{number}/").status_code == 404
    assert client.post(f"/approvals/{number}/vote", {"verdict": "approve"}).status_code == 302
    assert client.get(f"/approvals/{number}/").status_code == 200, "what one decided stays open to read"


# -- who can do what ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "/rights/",
        "/rights/directives/",
        "/rights/accounts/idris/",
        "/rights/models/fable-5/",
        "/rights/organisations/acme/",
    ],
)
def test_only_administrators_and_auditors_see_who_can_do_what(address: str, sign_in: Callable[[str], Client]) -> None:
    for name, status in (("admin", 200), ("auditor", 200), ("lucia", 403), ("maren", 403), ("wei", 403)):
        assert sign_in(name).get(address).status_code == status, name


def test_the_page_of_an_account_names_each_path(act_as: Any, sign_in: Callable[[str], Client], in_force: Any) -> None:
    directive = Directive.objects.get(reference=REFERENCE)
    give(actor=act_as("admin"), permission=objects.REVIEWER, thing=directive, role="trust-and-safety lead")
    give(actor=act_as("admin"), permission=objects.STEWARD, thing=AIModel.objects.get(slug="fable-5"), account="idris")
    approvals.delegate(
        actor=act_as("peter"), to=User.objects.get(username="idris"), starts_at=now(),
        ends_at=now() + timedelta(days=2), reason="away",
    )  # fmt: skip
    found = who_can_do_what.of_account(User.objects.get(username="idris"))
    assert [(held.label, held.role) for _, held in found.holdings] == [
        ("Reviewer of the case", "trust-and-safety lead"),
        ("Steward of the model", ""),
    ]
    assert {place.path for place in found.places} >= {"role trust-and-safety lead"}
    assert [str(one.principal) for one in found.held] == ["Peter Osei"]
    shown = text(sign_in("auditor").get("/rights/accounts/idris/"))
    for words in ("Reviewer of the case", "given by name", "Decides for Peter Osei", "Idris Vale"):
        assert words in shown
    assert "Give a permission" not in text(sign_in("auditor").get("/rights/models/fable-5/"))
    User.objects.filter(username="idris").update(is_active=False)
    closed = who_can_do_what.of_account(User.objects.get(username="idris"))
    assert not (closed.rights or closed.holdings or closed.places or closed.named)


def test_the_page_of_an_object_names_who_and_by_which_path(act_as: Any, sign_in: Callable[[str], Client]) -> None:
    directive = Directive.objects.get(reference=REFERENCE)
    give(actor=act_as("admin"), permission=objects.COUNSEL, thing=directive, account="teo")
    give(actor=act_as("admin"), permission=objects.COUNSEL, thing=directive, role="legal")
    shown = text(sign_in("auditor").get(f"/rights/directives/{REFERENCE}/"))
    for words in ("Teo Martins", "Anjali Rao", "role legal", "given by name", "Maren Holt"):
        assert words in shown


def test_the_questions_asked_do_not_grow_with_what_is_held(machine: Any, sign_in: Callable[[str], Client]) -> None:
    counts = []
    for batch in range(2):
        for n in range(8):
            firm = Organisation.objects.create(id=f"f{batch}{n}", name=f"F {n}")
            give(actor=machine, permission=objects.OWNER, thing=firm, account="hana")
            account = User.objects.create_user(f"o{batch}{n}", f"o{batch}{n}@example.net")
            give(
                actor=machine,
                permission=objects.STEWARD,
                thing=AIModel.objects.get(slug="fable-5"),
                account=str(account),
            )
        client = sign_in("auditor")
        for address in ("/rights/accounts/hana/", "/rights/models/fable-5/", "/rights/", "/rights/organisations/"):
            client.get(address)
            with CaptureQueriesContext(connection) as captured:
                assert client.get(address).status_code == 200
            counts.append((address, len(captured)))
    assert counts[:4] == counts[4:]


def test_giving_and_taking_on_the_page(ines: User, sign_in: Callable[[str], Client]) -> None:
    client = sign_in("admin")
    assert client.post(GIVE, {"permission": objects.OWNER, "account": "hana"}).status_code == 302
    assert "Hana Kimura" in text(client.get("/rights/organisations/gridworks/"))
    wrong = client.post(GIVE, {"permission": objects.OWNER, "account": "nobody"})
    assert wrong.status_code == 422
    assert 'value="nobody"' in text(wrong)
    assert "no active account" in text(wrong)
    assert client.post(GIVE, {"permission": objects.OWNER, "account": "hana"}).status_code == 409
    assert client.post(GIVE, {"permission": objects.OWNER, "account": "admin"}).status_code == 403
    taken = {"permission": objects.OWNER, "account": "hana"}
    assert client.post("/rights/organisations/gridworks/take", taken).status_code == 302
    assert client.post("/rights/organisations/gridworks/take", taken).status_code == 404
    for name in ("auditor", "ines", "idris"):
        assert sign_in(name).post(GIVE, {"permission": objects.OWNER, "account": "wei"}).status_code == 403
    for address in ("/rights/organisations/none/", "/rights/kings/", "/rights/kings/x/", "/rights/accounts/nobody/"):
        assert client.get(address).status_code == 404, address
