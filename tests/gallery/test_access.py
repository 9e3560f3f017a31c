"""The server of the gallery admits one browser, and no other program or page."""

from __future__ import annotations

import pytest

from mjcli.gallery.access import Access


@pytest.fixture
def access() -> Access:
    return Access(4000)


def code_of(access: Access) -> str:
    return access.entrance.partition("#")[2]


def cookie_of(access: Access) -> str:
    cookie = access.admit(code_of(access))
    assert cookie is not None
    return cookie


def test_the_code_works_once(access: Access) -> None:
    assert access.admit("") is None
    assert access.admit("wrong ✗") is None
    assert access.admit(code_of(access)) is not None
    assert access.admit(code_of(access)) is None


def test_the_cookie_is_for_the_random_path_of_the_page_and_not_for_scripts_or_other_sites(
    access: Access,
) -> None:
    attributes = cookie_of(access).split("; ")[1:]
    assert sorted(attributes) == sorted([f"Path={access.path}", "HttpOnly", "SameSite=Strict"])
    assert access.path not in Access(4000).path


def test_a_request_needs_the_cookie(access: Access) -> None:
    cookie = cookie_of(access).partition(";")[0]
    assert access.is_admitted({"cookie": f"other=1; {cookie}"})
    assert not access.is_admitted({})
    assert not access.is_admitted({"cookie": f"{cookie}x"})
    assert not access.is_admitted({"cookie": cookie.replace("4000", "4001")})
    assert not access.is_admitted({"cookie": ";;=\x7f"})


def test_the_cookie_is_not_enough_for_a_page_at_another_port_or_of_another_site(access: Access) -> None:
    cookie = {"cookie": cookie_of(access).partition(";")[0]}
    assert access.is_admitted({**cookie, "sec-fetch-site": "same-origin"})
    assert access.is_admitted({**cookie, "sec-fetch-site": "none"})
    assert not access.is_admitted({**cookie, "sec-fetch-site": "same-site"})
    assert not access.is_admitted({**cookie, "sec-fetch-site": "cross-site"})


@pytest.mark.parametrize("host", ["127.0.0.1:4000", "localhost:4000", "LOCALHOST:4000"])
def test_its_own_names_are_accepted(access: Access, host: str) -> None:
    assert access.is_own_host({"host": host})


@pytest.mark.parametrize(
    "host", ["", "127.0.0.1", "127.0.0.1:4001", "evil.example:4000", "127.0.0.1:4000.evil.example"]
)
def test_another_name_that_leads_here_is_refused(access: Access, host: str) -> None:
    assert not access.is_own_host({"host": host})
    assert not access.is_own_origin({"host": host, "origin": f"http://{host}"})


@pytest.mark.parametrize(
    "origin", ["", "null", "http://evil.example", "https://127.0.0.1:4000", "http://localhost:4000"]
)
def test_a_change_must_come_from_the_page_itself(access: Access, origin: str) -> None:
    assert access.is_own_origin({"host": "127.0.0.1:4000", "origin": "http://127.0.0.1:4000"})
    assert not access.is_own_origin({"host": "127.0.0.1:4000", "origin": origin})
