"""The management API on a real socket: what is asked, and what each answer means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mjcli.api import Platform
from mjcli.errors import ConfigError, ExitCode, MjError, NetworkError, PlatformRefused, Remedy
from tests.support.fake_clock import FakeClock
from tests.support.platform import PATH, TOKEN, Account, application
from tests.support.service import Received, Reply, Service, serve

APPLICATIONS, USAGE, APIS = f"{PATH}/applications/", f"{PATH}/usage/apis/", f"{PATH}/apis/"


@pytest.fixture
def platform(service: Service) -> Iterator[Platform]:
    url = service.base_url + PATH
    with Platform(TOKEN, base_url=url, use_environment=False, clock=FakeClock()) as platform:
        yield platform


def answer(service: Service, path: str, document: Any, status: int = 200) -> None:
    service.files[path] = lambda _request, reply: reply.json(document, status)


def usage(platform: Platform) -> list[Any]:
    return list(platform.usage(None, None))


def test_the_quotas_are_those_of_the_user_and_of_midjourney(platform: Platform, service: Service) -> None:
    Account(service)
    (found,) = platform.applications()
    assert (found.remaining, found.used, found.is_global, found.usd_per_credit) == (5.0, 1.0, False, 0.1)
    (request,) = service.gets(APPLICATIONS)
    assert request.query == {"user_id": "me", "service_id": "d87e5e99-b797-4ade-9e73-b896896b0461"}
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert "token" not in request.query


@pytest.mark.parametrize(
    ("expired_at", "usable"),
    [
        (None, True),
        ("2099-01-01T00:00:00Z", True),
        ("2020-01-01T00:00:00Z", False),
        ("2020-01-01T00:00:00", False),
        (1_577_836_800, False),
        (1_577_836_800_000, False),
        (4_102_444_800_000, True),
        ("soon", True),
    ],
)
def test_a_quota_ends_at_its_expiry(
    platform: Platform, service: Service, expired_at: object, usable: bool
) -> None:
    Account(service).applications = [application(5.0, expired_at=expired_at)]
    assert platform.applications()[0].usable(1_800_000_000) is usable


@pytest.mark.parametrize(
    "package", [None, {}, "x", {"price": 1}, {"price": 1, "amount": 0}, {"price": "x", "amount": 1}]
)
def test_the_price_of_a_credit_may_be_missing(platform: Platform, service: Service, package: object) -> None:
    Account(service).applications = [application(5.0, package=package)]
    assert platform.applications()[0].usd_per_credit is None


@pytest.mark.parametrize("document", [{}, {"items": None}, {"items": [None, 1, "x", []]}])
def test_an_answer_without_items_has_none(platform: Platform, service: Service, document: Any) -> None:
    answer(service, APPLICATIONS, document)
    answer(service, USAGE, document)
    assert platform.applications() == []
    assert usage(platform) == []


def test_fields_of_another_type_are_unknown(platform: Platform, service: Service) -> None:
    answer(service, USAGE, {"items": [{"id": 7, "api": "x", "deducted_amount": "0.25", "status_code": None}]})
    (record,) = usage(platform)
    assert (record.id, record.api, record.deducted, record.status_code) == ("7", "x", 0.25, None)
    assert (record.trace_id, record.created_at) == (None, None)


def test_the_period_of_the_usage_is_sent_in_utc(platform: Platform, service: Service) -> None:
    Account(service)
    list(platform.usage(1_767_225_600, 1_767_312_000))
    query = service.gets(USAGE)[0].query
    assert query["created_at_from"] == "2026-01-01T00:00:00Z"
    assert query["created_at_to"] == "2026-01-02T00:00:00Z"


def test_every_page_of_the_usage_is_read_once(platform: Platform, service: Service) -> None:
    account = Account(service)
    for number in range(205):
        account.charge(f"trace-{number}", 0.25)
    records = usage(platform)
    assert len({each.trace_id for each in records}) == len(records) == 205
    assert [each.query["offset"] for each in service.gets(USAGE)] == ["0", "100", "200"]


def test_records_that_move_to_the_next_page_meanwhile_are_reported_once(
    platform: Platform, service: Service
) -> None:
    account = Account(service)
    for number in range(150):
        account.charge(f"trace-{number}", 0.25)
    found = platform.usage(None, None)
    first = next(found)
    account.charge("newer", 0.25)
    traces = [first.trace_id, *(each.trace_id for each in found)]
    assert len(traces) == len(set(traces)) == 150


def test_a_service_that_ignores_the_offset_is_not_asked_without_end(
    platform: Platform, service: Service
) -> None:
    items = [{"id": str(number), "trace_id": str(number)} for number in range(100)]
    answer(service, USAGE, {"items": items, "count": 1_000_000})
    assert len(usage(platform)) == 100
    assert len(service.gets(USAGE)) == 2


@pytest.mark.parametrize(
    ("cost", "price"),
    [
        (0.25, 0.25),
        ("0.25", 0.25),
        ({"fast": 0.25, "turbo": 0.5, "note": "x"}, {"fast": 0.25, "turbo": 0.5}),
        ({"note": "x"}, None),
        (None, None),
        ([1], None),
    ],
)
def test_a_price_is_a_number_or_numbers_by_name(
    platform: Platform, service: Service, cost: Any, price: Any
) -> None:
    answer(service, APIS, {"items": [{"path": "/other", "cost": 9}, {"path": Service.IMAGINE, "cost": cost}]})
    assert platform.price(Service.IMAGINE) == price


# -- faults ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "exit_code", "remedy"),
    [
        (401, "invalid_token", ExitCode.AUTH, Remedy.LOG_IN_PLATFORM),
        (403, "forbidden", ExitCode.REFUSED, Remedy.LOG_IN_PLATFORM),
        (400, "bad_request", ExitCode.REFUSED, None),
    ],
)
def test_a_refusal_says_what_the_platform_said(
    platform: Platform, service: Service, status: int, code: str, exit_code: ExitCode, remedy: Remedy | None
) -> None:
    answer(service, APPLICATIONS, {"error": {"code": code, "message": "no"}, "trace_id": "t"}, status)
    with pytest.raises(PlatformRefused) as caught:
        platform.applications()
    error = caught.value
    assert (error.exit_code, error.remedy, error.trace_id) == (exit_code, remedy, "t")
    assert error.sentence == f"The platform refused the query ({code}): no"
    assert len(service.gets()) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_temporary_faults_are_retried(platform: Platform, service: Service, status: int) -> None:
    faults = [status, status]

    def script(_request: Received, reply: Reply) -> None:
        if faults:
            reply.json({"error": {"code": "api_error", "message": "later"}}, faults.pop())
        else:
            reply.json({"items": [application(5.0)]})

    service.files[APPLICATIONS] = script
    assert len(platform.applications()) == 1


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b'"x"', b"{"])
def test_an_answer_that_is_not_the_apis_says_nothing_about_a_job(
    platform: Platform, service: Service, body: bytes
) -> None:
    service.files[APPLICATIONS] = body
    with pytest.raises(MjError) as caught:
        platform.applications()
    assert isinstance(caught.value, NetworkError)
    assert caught.value.exit_code == ExitCode.UNAVAILABLE
    assert "billed" not in caught.value.sentence


def test_the_time_for_all_pages_is_limited(service: Service) -> None:
    clock = FakeClock()
    answer(service, USAGE, {"error": {"code": "rate_limited", "message": "later"}}, 429)
    url = service.base_url + PATH
    with (
        Platform(TOKEN, base_url=url, retries=1000, use_environment=False, clock=clock) as platform,
        pytest.raises(MjError),
    ):
        list(platform.usage(None, None, seconds=5))
    assert sum(clock.slept) <= 5


def test_a_redirect_does_not_get_the_token(platform: Platform, service: Service) -> None:
    servers = serve()
    other = next(servers)
    location = {"location": f"{other.base_url}{APPLICATIONS}"}
    service.files[APPLICATIONS] = lambda _request, reply: reply.whole(b"", 302, location)
    with pytest.raises(MjError):
        platform.applications()
    assert other.received == []
    servers.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("url", ["http://platform.example/api/v1", "ftp://127.0.0.1", "platform.example"])
def test_the_token_is_not_sent_over_plain_http(url: str) -> None:
    with pytest.raises(ConfigError, match="https://"):
        Platform(TOKEN, base_url=url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/api", "http://localhost:1", "http://[::1]:1", "https://h"]
)
def test_this_machine_and_https_are_allowed(url: str) -> None:
    Platform(TOKEN, base_url=url, use_environment=False).close()
