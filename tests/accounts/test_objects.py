"""Permissions on one object: who gives them, who has them, and that the database holds the rules, too."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from governance.accounts import objects
from governance.accounts import services as accounts
from governance.accounts.models import User
from governance.accounts.object_services import give, take
from governance.catalog.models import AIModel, AIModelGroupPermission, AIModelUserPermission, Provider
from governance.directives.models import Directive
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.ledger.models import Entry
from governance.people.models import Organisation, OrganisationGroupPermission, OrganisationUserPermission
from tests.conftest import REFERENCE

pytestmark = pytest.mark.django_db


def user(name: str) -> User:
    return User.objects.get(username=name)


@pytest.fixture
def gridworks() -> Organisation:
    return Organisation.objects.get(pk="gridworks")


@pytest.fixture
def directive() -> Directive:
    return Directive.objects.get(reference=REFERENCE)


def names(found: Any) -> set[str]:
    return {account.username for account in found}


def test_an_administrator_gives_and_takes_and_both_are_on_record(act_as: Any, directive: Directive) -> None:
    give(actor=act_as("admin"), permission=objects.COUNSEL, thing=directive, account="teo")
    assert names(objects.holders(objects.COUNSEL, directive)) == {"teo"}
    assert list(objects.objects_for(user("teo"), objects.CASE, Directive)) == [directive]
    assert not objects.has(user("teo"), objects.REVIEWER, directive)
    take(actor=act_as("admin"), permission=objects.COUNSEL, thing=directive, account="teo")
    assert not objects.holders(objects.COUNSEL, directive).exists()
    entries = Entry.objects.filter(action__startswith="object_permission.").order_by("id")
    assert [(entry.action, entry.actor, entry.subject) for entry in entries] == [
        ("object_permission.given", "admin", f"directive:{REFERENCE}"),
        ("object_permission.taken", "admin", f"directive:{REFERENCE}"),
    ]


def test_who_may_not_give_and_what_cannot_be_given_is_refused_with_its_reason(
    act_as: Any, machine: Any, directive: Directive
) -> None:
    wanted: dict[str, Any] = {"actor": act_as("admin"), "permission": objects.COUNSEL, "thing": directive}
    give(**wanted, account="teo")
    for changes, refusal, words in (
        ({"actor": act_as("idris"), "account": "hana"}, PermissionRefused, "administer"),
        ({"account": "admin"}, PermissionRefused, "themselves"),
        ({"role": "administrator"}, PermissionRefused, "role of their own"),
        ({"account": "teo"}, WrongState, "already"),
        ({"account": "nobody"}, Invalid, "no active account"),
        ({"role": "king"}, Invalid, "no such role"),
        ({}, Invalid, "one of both"),
        ({"account": "teo", "role": "legal"}, Invalid, "one of both"),
        ({"permission": objects.STEWARD, "account": "hana"}, Invalid, "no such permission"),
        ({"permission": "change_directive", "account": "hana"}, Invalid, "no such permission"),
    ):
        with pytest.raises(refusal, match=words):
            give(**(wanted | changes))
    with pytest.raises(NotFound):
        take(actor=machine, permission=objects.COUNSEL, thing=directive, account="hana")
    User.objects.filter(username="wei").update(is_active=False)
    with pytest.raises(Invalid, match="no active account"):
        give(**wanted, account="wei")


def test_the_database_refuses_other_permissions_changes_and_gifts_to_oneself(directive: Directive) -> None:
    model = AIModel.objects.get(slug="fable-5")
    steward = Permission.objects.get(codename=objects.STEWARD)
    admin, hana = user("admin"), user("hana")
    admins = Group.objects.get(name="administrator")
    wrong = Permission.objects.get(codename="change_aimodel")
    for write in (
        lambda: AIModelUserPermission.objects.create(
            content_object=model, permission=steward, user=admin, given_by=admin
        ),
        lambda: AIModelGroupPermission.objects.create(
            content_object=model, permission=steward, group=admins, given_by=admin
        ),
        lambda: AIModelUserPermission.objects.create(content_object=model, permission=wrong, user=hana),
        lambda: AIModelUserPermission.objects.bulk_create(
            [
                AIModelUserPermission(
                    content_object=model, permission=Permission.objects.get(codename=objects.COUNSEL), user=hana
                )
            ]
        ),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            write()
    row = AIModelUserPermission.objects.create(content_object=model, permission=steward, user=hana, given_by=admin)
    with pytest.raises(DatabaseError, match="not changed"), transaction.atomic():
        AIModelUserPermission.objects.filter(pk=row.pk).update(user=user("wei"))


def test_changes_of_a_role_act_at_once(act_as: Any, machine: Any, directive: Directive) -> None:
    give(actor=act_as("admin"), permission=objects.REVIEWER, thing=directive, role="legal")
    assert names(objects.holders(objects.REVIEWER, directive)) == {"anjali"}
    accounts.set_roles(actor=machine, username="teo", roles=["legal"])
    assert names(objects.holders(objects.REVIEWER, directive)) == {"anjali", "teo"}
    accounts.set_roles(actor=machine, username="anjali", roles=[])
    assert names(objects.holders(objects.REVIEWER, directive)) == {"teo"}
    accounts.deactivate(actor=machine, username="teo")
    assert not objects.holders(objects.REVIEWER, directive).exists()
    assert not objects.has(user("teo"), objects.REVIEWER, directive)
    take(actor=act_as("admin"), permission=objects.REVIEWER, thing=directive, role="legal")
    assert not objects.objects_for(user("anjali"), objects.CASE, Directive).exists()


def test_a_superuser_has_no_permission_that_was_not_given(gridworks: Organisation) -> None:
    User.objects.filter(username="admin").update(is_superuser=True)
    assert not objects.objects_for(user("admin"), objects.OWNER, Organisation).exists()


def test_nobody_changes_their_own_roles(act_as: Any) -> None:
    with pytest.raises(PermissionRefused, match="their own roles"):
        accounts.set_roles(actor=act_as("admin"), username="admin", roles=["administrator", "executive"])


def test_permissions_end_with_their_object(machine: Any) -> None:
    firm = Organisation.objects.create(id="shortlived", name="Short Lived")
    model = AIModel.objects.create(
        slug="shortlived", name="Short Lived", stage="internal", provider=Provider.objects.filter(own=True)[0]
    )
    for thing, permission in ((firm, objects.OWNER), (model, objects.STEWARD)):
        give(actor=machine, permission=permission, thing=thing, account="hana")
        give(actor=machine, permission=permission, thing=thing, role="legal")
        table = type(thing)._meta.db_table
        with (  # past Django, the object stays as long as somebody has a permission on it: no row is left without its object
            pytest.raises(DatabaseError),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"DELETE FROM {table} WHERE id = %s", [thing.pk])
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        thing.delete()
    assert not OrganisationUserPermission.objects.exists()
    assert not OrganisationGroupPermission.objects.exists()
    assert not AIModelUserPermission.objects.exists()
    assert not AIModelGroupPermission.objects.exists()


def test_a_list_is_filtered_by_one_question_however_long_it_is(machine: Any) -> None:
    firms = Organisation.objects.bulk_create(Organisation(id=f"firm{n}", name=f"Firm {n}") for n in range(40))
    for firm in firms[:25]:
        give(actor=machine, permission=objects.OWNER, thing=firm, account="hana")
    hana = user("hana")
    with CaptureQueriesContext(connection) as captured:
        assert len(objects.objects_for(hana, objects.OWNER, Organisation)) == 25
    assert len(captured) == 1
