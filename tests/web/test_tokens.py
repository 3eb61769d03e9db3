"""The page of one's own personal tokens."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.accounts import tokens
from governance.accounts.models import PersonalToken
from governance.ledger.models import Entry

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Client]
FORM = {"name": "laptop", "reach": "read", "days": "7"}


def asks(token: str) -> int:
    return Client().get("/api/v1/approvals", headers={"Authorization": f"Bearer {token}"}).status_code


def made(client: Client, **changes: str) -> str:
    page = client.post("/tokens", FORM | changes)
    assert page.status_code == 201
    return re.findall(r'value="(pcp_[^"]+)"', page.content.decode())[0]


def test_a_new_token_is_shown_once_and_works(sign_in: SignIn) -> None:
    idris = sign_in("idris")
    assert 'href="/tokens"' in idris.get("/approvals/").content.decode()
    plain = made(idris)
    assert asks(plain) == 200
    page = idris.get("/tokens").content.decode()
    assert "laptop" in page
    assert plain not in page
    assert plain not in str(PersonalToken.objects.values())
    assert plain not in Entry.objects.get(action="personal_token.created").record


def test_it_says_when_a_token_was_used_last_to_the_minute(sign_in: SignIn) -> None:
    idris = sign_in("idris")
    plain = made(idris)
    assert "never used" in idris.get("/tokens").content.decode()
    asks(plain)
    assert "never used" not in idris.get("/tokens").content.decode()
    with CaptureQueriesContext(connection) as captured:
        asks(plain)
    assert not [query for query in captured if "last_used_at" in query["sql"] and "UPDATE" in query["sql"]]
    hour_ago = timezone.now() - timedelta(hours=1)
    PersonalToken.objects.update(last_used_at=hour_ago)
    asks(plain)
    assert PersonalToken.objects.get().last_used_at > hour_ago  # type: ignore[operator]


def test_a_revoked_or_expired_token_stops_at_once(sign_in: SignIn) -> None:
    idris = sign_in("idris")
    first, second = made(idris), made(idris, name="phone")
    number = PersonalToken.objects.get(name="laptop").pk
    for name in ("peter", "wei"):
        assert sign_in(name).post(f"/tokens/{number}/revoke").status_code == 404
    assert idris.get(f"/tokens/{number}/revoke").status_code == 405
    assert asks(first) == 200
    assert idris.post(f"/tokens/{number}/revoke").status_code == 302
    assert asks(first) == 401
    assert idris.post(f"/tokens/{number}/revoke").status_code == 409
    PersonalToken.objects.filter(name="phone").update(expires_at=timezone.now())
    assert asks(second) == 401
    page = idris.get("/tokens").content.decode()
    assert "Revoked" in page
    assert "Ended" in page
    assert made(idris) != first  # the name is free again


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "The name is required"), ({"name": "x" * 101}, "The name is longer than 100 characters"),
        ({"reach": "all"}, "What it may do must be one of"), ({"reach": ""}, "What it may do must be one of"),
        ({"days": "0"}, "must be from 1 to 90"), ({"days": "91"}, "must be from 1 to 90"), ({"days": "²"}, "must be from 1 to 90"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_what_was_typed_is_kept(changes: Any, words: str, sign_in: SignIn) -> None:
    page = sign_in("idris").post("/tokens", FORM | changes)
    assert page.status_code == 422
    text = page.content.decode()
    assert words in text
    assert f'value="{(FORM | changes)["days"]}"' in text
    assert not PersonalToken.objects.exists()


def test_others_tokens_are_not_on_the_page_and_a_long_list_costs_the_same(sign_in: SignIn, act_as: Any) -> None:
    peter, counts = sign_in("peter"), []
    tokens.create_personal_token(actor=act_as("idris"), name="of idris", reach="read", days=9)
    for number in range(4):
        tokens.create_personal_token(actor=act_as("peter"), name=f"of peter {number}", reach="read", days=9)
        with CaptureQueriesContext(connection) as captured:
            page = peter.get("/tokens").content.decode()
        counts.append(len(captured))
    assert "of idris" not in page
    assert "of peter 3" in page
    assert counts[1] == counts[3] <= 25
