"""`mj download` with stale links, which are refreshed from the service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.earlier import (
    EXPIRED,
    IMAGE_DATA,
    SAVED,
    TASK_ID,
    give_fresh_links,
    run_earlier_job,
    task_queries,
)
from tests.support.images import png
from tests.support.ledger import in_ledger
from tests.support.pauses import SHORT
from tests.support.program import Mj, files
from tests.support.scripts import links
from tests.support.service import Service


def test_a_stale_link_is_refreshed_before_it_is_used(online: Mj, service: Service) -> None:
    run_earlier_job(online, service, query=EXPIRED)
    service.files["/files/fresh.png"] = png(9)
    give_fresh_links(service, "fresh.png")
    answer = online("download", "@last", "--json").answer
    assert (online.cwd / SAVED).read_bytes() == png(9)
    assert task_queries(service) == [{"action": "retrieve", "id": TASK_ID}]
    assert not service.posts()
    assert [each.path for each in service.gets()] == ["/files/fresh.png"]
    assert answer["raw_image_url"].startswith(links(service, "fresh.png")[0])


def test_the_ledger_records_the_fresh_link_for_the_next_download(online: Mj, service: Service) -> None:
    run_earlier_job(online, service, query=EXPIRED)
    service.files["/files/fresh.png"] = png(9)
    give_fresh_links(service, "fresh.png")
    online("download", "@last")
    service.received.clear()
    online("download", "@last", "-o", "again/", env={"MJ_TOKEN": None})
    assert not task_queries(service)
    assert [each.path for each in service.gets()] == ["/files/fresh.png"]


def test_four_stale_links_are_refreshed_with_one_query(online: Mj, service: Service) -> None:
    names = [f"{n}.png" for n in range(1, 5)]
    fresh = [f"fresh{n}.png" for n in range(1, 5)]
    service.files |= {f"/files/{name}": png(n) for n, name in enumerate(fresh)}
    run_earlier_job(online, service, sub_image_urls=[each + EXPIRED for each in links(service, *names)])
    give_fresh_links(service, *fresh)
    saved = online("download", "@last", "--json").answer["files"]
    assert [Path(each).read_bytes() for each in saved] == [png(n) for n in range(4)]
    assert len(task_queries(service)) == 1
    assert sorted(each.path for each in service.gets()) == [f"/files/{each}" for each in fresh]


def no_token(_service: Service) -> dict[str, str | None]:
    return {"MJ_TOKEN": None}


def no_service(_service: Service) -> dict[str, str | None]:
    return {"MJ_BASE_URL": "http://127.0.0.1:9"}


def refused_query(service: Service) -> dict[str, str | None]:
    service.scripts[Service.TASKS] = lambda _r, reply: reply.json({"error": {"code": "no_api"}}, 404)
    return {}


def unknown_task(_service: Service) -> dict[str, str | None]:
    return {}


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [no_token, no_service, refused_query, unknown_task])
def test_without_a_fresh_link_the_stale_one_is_tried(online: Mj, service: Service, trouble: Any) -> None:
    run_earlier_job(online, service, query=EXPIRED)
    online("download", "@last", env=trouble(service))
    assert (online.cwd / SAVED).read_bytes() == IMAGE_DATA
    assert not service.posts()
    assert service.gets()[0].query["ex"] == "662fdb36"


def test_a_refused_link_is_refreshed(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = lambda _r, reply: reply.whole(b"expired", 403)
    run_earlier_job(online, service)
    service.files["/files/fresh.png"] = png(9)
    give_fresh_links(service, "fresh.png")
    online("download", "@last")
    assert (online.cwd / SAVED).read_bytes() == png(9)
    assert len(task_queries(service)) == 1
    assert not service.posts()
    assert "fresh.png" in in_ledger(online, "result")[0]


def test_a_link_that_stays_expired_is_refreshed_once_and_exits_8(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = lambda _r, reply: reply.whole(b"expired", 403)
    run_earlier_job(online, service, query=EXPIRED)
    answer = online("download", "@last", "--json", check=8).answer
    assert answer["error"]["code"] == "download"
    assert "billed once" in answer["error"]["message"]
    assert (
        "The link could not be refreshed: The service does not know it any more."
        in answer["error"]["message"]
    )
    assert answer["task_id"] == TASK_ID
    assert answer["files"] == []
    assert len(task_queries(service)) == 1
    assert files(online) == []


@pytest.mark.slow
@pytest.mark.parametrize("page", [b"<!doctype html><title>gone</title>", b""])
def test_a_link_to_a_web_page_is_refreshed(online: Mj, service: Service, page: bytes) -> None:
    service.files["/files/cat.png"] = lambda _r, reply: reply.whole(page)
    run_earlier_job(online, service)
    service.files["/files/fresh.png"] = png(9)
    give_fresh_links(service, "fresh.png")
    online("download", "@last")
    assert (online.cwd / SAVED).read_bytes() == png(9)


def test_a_different_count_of_fresh_links_is_not_used(online: Mj, service: Service) -> None:
    names = ["1.png", "2.png"]
    service.files |= {"/files/1.png": png(1), "/files/2.png": png(2), "/files/fresh.png": png(9)}
    run_earlier_job(online, service, sub_image_urls=[each + EXPIRED for each in links(service, *names)])
    give_fresh_links(service, "fresh.png")
    saved = online("download", "@last", "--json").answer["files"]
    assert [Path(each).read_bytes() for each in saved] == [png(1), png(2)]


def test_the_links_of_a_new_job_are_not_refreshed(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = IMAGE_DATA
    service.stream([service.result(raw_image_url=links(service, "cat.png")[0] + EXPIRED)])
    online("imagine", "a cat", "--download")
    assert files(online) == [SAVED]
    assert not task_queries(service)


def test_a_job_whose_result_lacks_the_task_id_is_refreshed_too(online: Mj, service: Service) -> None:
    service.files["/files/fresh.png"] = png(9)
    final = service.result(raw_image_url=links(service, "cat.png")[0] + EXPIRED)
    del final["task_id"]
    service.stream([{"task_id": TASK_ID, "progress": 10}, final])
    online("imagine", "a cat")
    give_fresh_links(service, "fresh.png")
    online("download", "@last")
    assert len(task_queries(service)) == 1
    assert len(files(online)) == 1


@pytest.mark.slow
def test_links_of_an_earlier_sandbox_are_refreshed(mj: Mj) -> None:
    mj.pauses = {**SHORT, "mjcli.cli.context:SANDBOX_SECONDS": 0.1}
    first = mj("--sandbox", "imagine", "a cat", "--json").answer
    answer = mj("--sandbox", "download", "@last", "--json").answer
    assert Path(answer["files"][0]).read_bytes().startswith(b"\x89PNG")
    assert answer["image_id"] == first["image_id"]
