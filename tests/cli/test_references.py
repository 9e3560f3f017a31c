"""`@last`, `@2`, ids and `-`: what a reference means."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Mj
from tests.service import Service, fixture


def made(online: Mj, service: Service, *names: str, options: tuple[str, ...] = ()) -> None:
    """Jobs of these names, the last one the newest."""
    for name in names:
        service.answer(service.result(image_id=f"image-{name}", task_id=f"task-{name}"))
        online("imagine", name, *options)


@pytest.mark.parametrize(("reference", "name"), [("@last", "c"), ("@1", "c"), ("@2", "b"), ("@3", "a")])
def test_a_reference_counts_from_the_newest_job(
    online: Mj, service: Service, reference: str, name: str
) -> None:
    made(online, service, "a", "b", "c")
    online("action", "upscale1", reference)
    assert service.posts()[-1].body["image_id"] == f"image-{name}"


def test_a_reference_names_a_task_too(online: Mj, service: Service) -> None:
    made(online, service, "a", "b")
    online("describe-task", "@2", check=4)
    assert service.posts(Service.TASKS)[-1].body["id"] == "task-a"


def test_references_may_stand_on_standard_input(online: Mj, service: Service) -> None:
    made(online, service, "a", "b")
    online("action", "upscale1", "-", "--dry-run", stdin="@last\n@2\n")
    result = online("action", "upscale1", "-", "--dry-run", "--json", stdin="@last\n@2\n")
    assert [each["body"]["image_id"] for each in result.json] == ["image-b", "image-a"]


def test_references_of_a_list_mean_what_they_meant_before_the_first_was_done(
    online: Mj, service: Service
) -> None:
    made(online, service, "a", "b")
    service.answer(service.result(image_id="new"))
    online("action", "upscale1", "-", stdin="@last\n@2\n@last\n")
    assert [each.body["image_id"] for each in service.posts()[2:]] == ["image-b", "image-a", "image-b"]


@pytest.mark.parametrize(
    "reference", ["@4", "@0", "@-1", "@", "@first", "@1.5", "@99999999999999999999", "@²", "@ 1", "@LAST "]
)
def test_a_reference_that_means_nothing_is_a_usage_error(
    online: Mj, service: Service, reference: str
) -> None:
    made(online, service, "a")
    before = len(service.received)
    result = online("action", "upscale1", reference, "--json", check=2)
    assert result.answer["error"]["code"] == "usage"
    online("describe-task", reference, check=2)
    assert len(service.received) == before


def test_a_reference_counts_the_jobs_of_its_own_profile(online: Mj, service: Service) -> None:
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


def test_a_job_that_was_refused_has_no_image(online: Mj, service: Service) -> None:
    made(online, service, "a")
    service.answer(fixture("error.json"), 500)
    online("imagine", "b", check=6)
    before = len(service.posts())
    assert "@last" in online("action", "upscale1", "@last", check=2).err
    assert len(service.posts()) == before


def test_a_dry_run_is_no_job(online: Mj, service: Service) -> None:
    made(online, service, "a")
    online("imagine", "b", "--dry-run")
    online("action", "upscale1", "@last")
    assert service.posts()[-1].body["image_id"] == "image-a"
