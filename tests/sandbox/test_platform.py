"""The management API of the sandbox: prices, balance and usage records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.sandbox import Client

PATH = "/api/v1"
TOKEN = {"authorization": "Bearer platform-sandbox"}
Run = Callable[..., Client]


def get(client: Client, path: str, headers: dict[str, str] | None = TOKEN, status: int = 200) -> Any:
    response = client.get(PATH + path, headers)
    assert response.status == status, response.body
    return response.json


def balance(client: Client) -> list[float]:
    return [each["remaining_amount"] for each in get(client, "/applications/?user_id=me")["items"]]


def test_a_job_that_succeeds_is_charged_once_and_linked_by_its_trace_id(client: Client) -> None:
    done = client.imagine()
    (record,) = get(client, "/usage/apis/")["items"]
    assert (record["deducted_amount"], record["status_code"]) == (0.25, 200)
    assert record["trace_id"] == client.ended_task(done["task_id"])["trace_id"]
    assert balance(client) == [9.75, 90.0]


def test_a_running_job_is_not_charged_yet(run: Run) -> None:
    client = run(seconds=60.0)
    client.imagine(**{"async": True})
    assert get(client, "/usage/apis/")["items"] == []
    assert balance(client) == [10.0, 90.0]


def test_a_job_that_fails_costs_nothing(run: Run) -> None:
    client = run(failure_rate=1.0)
    client.post("imagine", {"prompt": "a cat"})
    (record,) = get(client, "/usage/apis/")["items"]
    assert record["deducted_amount"] == 0
    assert record["status_code"] >= 400
    assert balance(client) == [10.0, 90.0]


@pytest.mark.parametrize(
    ("name", "body", "amount"),
    [
        ("imagine", {"prompt": "a cat --turbo"}, 0.5),
        ("imagine", {"prompt": "a cat", "mode": "turbo"}, 0.5),
        ("imagine", {"prompt": "a cat --hd"}, 0.5),
        ("videos", {"prompt": "a cat", "image_url": "https://h/cat.png", "action": "generate"}, 1.0),
        ("translate", {"content": "un chat"}, 0.0),
    ],
)
def test_each_kind_has_its_price(client: Client, name: str, body: dict[str, Any], amount: float) -> None:
    assert client.post(name, body).status == 200
    records = get(client, "/usage/apis/")["items"]
    assert sum(each["deducted_amount"] for each in records) == amount


@pytest.mark.slow
def test_the_quota_is_used_before_the_global_balance(client: Client) -> None:
    for _ in range(11):
        client.post("videos", {"prompt": "a cat", "image_url": "https://h/cat.png", "action": "generate"})
    assert balance(client) == [0.0, 89.0]


def test_usage_has_pages_and_periods(client: Client) -> None:
    for _ in range(3):
        client.imagine()
    page = get(client, "/usage/apis/?limit=2&offset=2")
    assert (page["count"], len(page["items"])) == (3, 1)
    assert get(client, "/usage/apis/?created_at_from=2099-01-01T00:00:00Z")["count"] == 0
    assert get(client, "/usage/apis/?created_at_to=2020-01-01T00:00:00Z")["count"] == 0
    assert get(client, "/usage/apis/?created_at_from=2020-01-01T00:00:00Z")["count"] == 3
    for query in ("limit=x", "offset=-1", "created_at_from=soon"):
        get(client, f"/usage/apis/?{query}", status=400)


def test_the_aggregate_adds_up_days_and_apis(client: Client) -> None:
    client.imagine()
    client.imagine()
    found = get(client, "/usage/apis/aggregate/")
    assert found["total"] == 0.5
    assert [each["amount"] for each in found["items"]] == [0.5]
    assert [each["title"] for each in found["apis"].values()] == ["Midjourney Imagine"]


@pytest.mark.parametrize(
    "headers", [None, {"authorization": "Bearer sandbox"}, {"authorization": "platform-x"}]
)
def test_another_token_is_refused(client: Client, headers: dict[str, str] | None) -> None:
    assert get(client, "/applications/", headers, 401)["error"]["code"] == "invalid_token"


def test_prices_need_no_token(client: Client) -> None:
    assert get(client, "/apis/?path=/midjourney/imagine", None)["items"][0]["cost"] == 0.25
    assert get(client, "/apis/?path=/midjourney/nothing", None)["items"] == []


def test_another_path_is_no_api(client: Client) -> None:
    assert get(client, "/nothing/", status=404)["error"]["code"] == "no_api"
