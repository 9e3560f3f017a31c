"""`@last`, `@2`, ids and `-`: what a reference means."""

from __future__ import annotations

import pytest

from tests.support.program import Mj
from tests.support.service import Service, fixture, task_record


def made(online: Mj, service: Service, *names: str, options: tuple[str, ...] = ()) -> None:
    """Jobs of these names, the last one the newest."""
    for name in names:
        service.answer(service.result(image_id=f"image-{name}", task_id=f"task-{name}"))
        online("imagine", name, *options)


@pytest.mark.slow
@pytest.mark.parametrize(("reference", "name"), [("@last", "c"), ("@1", "c"), ("@2", "b"), ("@3", "a")])
def test_references_count_from_the_newest_job(
    online: Mj, service: Service, reference: str, name: str
) -> None:
    made(online, service, "a", "b", "c")
    online("action", "upscale1", reference)
    assert service.posts()[-1].body["image_id"] == f"image-{name}"


def test_a_reference_names_a_task_too(online: Mj, service: Service) -> None:
    made(online, service, "a", "b")
    online("describe-task", "@2", check=4)
    assert service.posts(Service.TASKS)[-1].body["id"] == "task-a"


def test_references_can_come_from_standard_input(online: Mj, service: Service) -> None:
    made(online, service, "a", "b")
    online("action", "upscale1", "-", "--dry-run", stdin="@last\n@2\n")
    result = online("action", "upscale1", "-", "--dry-run", "--json", stdin="@last\n@2\n")
    assert [each["body"]["image_id"] for each in result.json] == ["image-b", "image-a"]


@pytest.mark.slow
def test_references_in_a_list_are_resolved_before_the_first_job(online: Mj, service: Service) -> None:
    made(online, service, "a", "b")
    service.answer(service.result(image_id="new"))
    online("action", "upscale1", "-", stdin="@last\n@2\n@last\n")
    sent = sorted(each.body["image_id"] for each in service.posts()[2:])
    assert sent == ["image-a", "image-b", "image-b"]


@pytest.mark.parametrize(
    "reference", ["@4", "@0", "@-1", "@", "@first", "@1.5", "@99999999999999999999", "@²", "@ 1", "@LAST "]
)
def test_an_unknown_reference_is_a_usage_error(online: Mj, service: Service, reference: str) -> None:
    made(online, service, "a")
    before = len(service.received)
    result = online("action", "upscale1", reference, "--json", check=2)
    assert result.answer["error"]["code"] == "usage"
    online("describe-task", reference, check=2)
    assert len(service.received) == before


@pytest.mark.slow
def test_references_count_the_jobs_of_the_active_profile(online: Mj, service: Service) -> None:
    from pathlib import Path

    file = Path(online.env["MJ_CONFIG"])
    file.parent.mkdir(mode=0o700)
    file.write_text('[profiles.default]\n[profiles.work]\ntoken_in = "header"\n')
    file.chmod(0o600)
    made(online, service, "a")
    made(online, service, "b", options=("--profile", "work"))
    online("action", "upscale1", "@last")
    assert service.posts()[-1].body["image_id"] == "image-a"
    online("action", "upscale1", "@last", "--profile", "work")
    assert service.posts()[-1].body["image_id"] == "image-b"


@pytest.mark.slow
def test_a_refused_job_has_no_image(online: Mj, service: Service) -> None:
    made(online, service, "a")
    service.answer(fixture("error.json"), 500)
    online("imagine", "b", check=6)
    before = len(service.posts())
    assert "@1 has no image" in online("action", "upscale1", "@1", check=2).err
    assert len(service.posts()) == before
    service.answer(service.result(image_id="new"))
    result = online("action", "upscale1", "@last")
    assert '@last is @2, image-a ("a"). The newest job failed.' in result.err
    assert service.posts()[-1].body["image_id"] == "image-a"


def test_a_dry_run_is_not_recorded(online: Mj, service: Service) -> None:
    made(online, service, "a")
    online("imagine", "b", "--dry-run")
    online("action", "upscale1", "@last")
    assert service.posts()[-1].body["image_id"] == "image-a"


@pytest.mark.parametrize("name", ["@last", "task"])
def test_a_job_at_another_address_is_not_queried_here(online: Mj, service: Service, name: str) -> None:
    made(online, service, "a")
    before = len(service.received)
    moved = online.env["MJ_BASE_URL"].replace("127.0.0.1", "localhost")
    result = online("describe-task", name, env={"MJ_BASE_URL": moved}, check=2)
    assert online.env["MJ_BASE_URL"] in result.err
    assert len(service.received) == before


def test_a_short_id_prefix_is_refused_with_the_minimum_length(online: Mj, service: Service) -> None:
    made(online, service, "a")
    before = len(service.received)
    assert "4 characters" in online("action", "upscale1", "ima", check=2).err
    assert len(service.received) == before


def test_an_ambiguous_id_prefix_lists_the_matching_ids(online: Mj, service: Service) -> None:
    made(online, service, "a", "b")
    result = online("action", "upscale1", "imag", check=2)
    assert "image-a" in result.err
    assert "image-b" in result.err


# -- images of earlier jobs as image prompts -----------------------------------------------------------

PAST = "?ex=662fdb36&is=662e89b6&hm=ca9be5&"


def expired(online: Mj, service: Service) -> str:
    """A job whose link has expired; returns the link."""
    link = f"{service.base_url}/files/cat.png{PAST}"
    service.answer(service.result(raw_image_url=link))
    online("imagine", "a cat")
    service.received.clear()
    return link


@pytest.mark.parametrize("command", [("blend", "@last", "@1"), ("imagine", "x", "--image", "@last")])
def test_a_paid_job_uses_a_fresh_link(online: Mj, service: Service, command: tuple[str, ...]) -> None:
    expired(online, service)
    fresh = f"{service.base_url}/files/fresh.png"
    task = service.result()["task_id"]
    service.tasks[task] = task_record(task, {"prompt": "a cat"}, service.result(raw_image_url=fresh))
    online(*command)
    assert service.posts()[-1].body["prompt"].startswith(fresh)


def test_without_a_fresh_link_nothing_is_sent(online: Mj, service: Service) -> None:
    expired(online, service)
    result = online("blend", "@last", "@last", check=2)
    assert "has expired" in result.err
    assert "Nothing was sent." in result.err
    assert service.posts() == []


def test_a_fresh_link_that_cannot_be_requested_exits_with_6(online: Mj, service: Service) -> None:
    expired(online, service)
    service.scripts[Service.TASKS] = lambda _request, reply: reply.json({"error": {"code": "forbidden"}}, 403)
    assert "has expired" in online("blend", "@last", "@last", check=6).err
    assert service.posts() == []


def test_a_dry_run_requests_no_fresh_link(online: Mj, service: Service) -> None:
    link = expired(online, service)
    assert (
        online("blend", "@last", "@last", "--dry-run", "--json").answer["body"]["prompt"] == f"{link} {link}"
    )
    assert service.received == []


@pytest.mark.slow
def test_the_jobs_of_the_sandbox_are_mentioned_where_the_profile_has_none(mj: Mj, service: Service) -> None:
    for _ in range(2):
        mj("--sandbox", "imagine", "a cat", "--no-wait")
    for command in (["action", "upscale1", "@last"], ["history"]):
        err = mj(*command, env={"MJ_TOKEN": "secret-token"}, check=None).err
        assert 'No jobs yet in profile "default". (The sandbox has 2: add --sandbox.)' in err


@pytest.mark.parametrize(
    "command", [["imagine", "a cat", "--image"], ["describe"], ["video", "it moves", "--image"]]
)
@pytest.mark.parametrize("link", ["http://[bad", "htp://example.com/a.png", "ftp://h/a"])
def test_an_image_link_that_cannot_be_valid_is_refused_before_anything_is_sent(
    online: Mj, service: Service, command: list[str], link: str
) -> None:
    result = online(*command, link, check=2)
    assert f'mj: "{link}" is not a ' in result.err
    assert not service.received


def test_an_invalid_link_among_the_words_of_a_prompt_is_refused(online: Mj, service: Service) -> None:
    online("imagine", "http://[bad", "a cat", check=2)
    assert not service.received


@pytest.mark.parametrize("prompt", ["(@last) a cat", "@2, a cat", "a cat --no text, @last"])
@pytest.mark.parametrize("quoted", [True, False])
def test_a_reference_in_a_prompt_is_refused_whatever_is_around_it(
    online: Mj, service: Service, prompt: str, *, quoted: bool
) -> None:
    words = [prompt] if quoted else prompt.split()
    assert "is a reference: --image @" in online("imagine", *words, check=2).err
    assert service.posts() == []
