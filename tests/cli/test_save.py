"""Finishing jobs: files are saved, recorded in the ledger and printed, whatever goes wrong on the way."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mjcli.api import Result
from mjcli.api.models import TaskRecord
from mjcli.cli.finished import FinishedJob
from mjcli.cli.lookup import Lookup
from mjcli.cli.options import FileOptions
from mjcli.cli.save import Saver, check_fixed_name, file_target, stored_target, target_record
from mjcli.errors import ConfigError, DownloadError, ExitCode, NameInUse, UsageError
from mjcli.jobs.job import Job
from mjcli.jobs.order import Order, Outcome
from mjcli.media.names import Target
from tests.support.images import WHOLE, png
from tests.support.service import Service, task_record
from tests.support.world import World

FOUR = ("1.png", "2.png", "3.png", "4.png")
RETRY = "mj resume task-1"
EXPIRED = "?ex=5f000000&is=5e000000&hm=a"


class Case(World):
    """A run that finishes jobs, whose files go to `target`."""

    def __init__(self, environ: dict[str, str], target: Target, service: Service, **flags: object) -> None:
        super().__init__(environ, **flags)
        self.target, self.service = target, service

    @property
    def saver(self) -> Saver:
        return Saver.of(self.context, Lookup.of(self.context))

    def link(self, name: str) -> str:
        return f"{self.service.base_url}/{name}"

    def result(self, *names: str, **fields: Any) -> dict[str, Any]:
        """A result with these files: one image, or the parts of a split grid."""
        links = [self.link(each) for each in names]
        found = {"sub_image_urls": links} if len(links) > 1 else {"raw_image_url": links[0]}
        return {"task_id": "task-1", "image_id": "image-1", **found, **fields}

    def record_job(self, result: dict[str, Any], *, done: bool = True, files: bool = True) -> Job:
        """Record a job with this result in the ledger."""
        ledger = self.context.ledger
        uuid = ledger.record(
            profile="default",
            host=self.context.settings.host,
            kind="imagine",
            path="/midjourney/imagine",
            request={"prompt": "a cat"},
            files_asked=target_record(self.target, force=False) if files else None,
            parent_image=None,
            subject="a cat",
        )
        ledger.mark_sent(uuid)
        ledger.mark_running(uuid, "task-1")
        if done:
            found = Result(result)
            ledger.mark_done(uuid, result, image_id=found.id, files_due=len(found.file_urls))
        return self.row(uuid)

    def row(self, uuid: str | None = None) -> Job:
        """The job as the ledger has it now; the newest without `uuid`."""
        ledger = self.context.ledger
        found = ledger.get(uuid) if uuid is not None else ledger.nth_newest("default", 1)
        assert found is not None
        return found

    def new_job(self, result: dict[str, Any]) -> FinishedJob:
        """A job that has just been carried out."""
        uuid = self.record_job(result).uuid
        order = Order("imagine", "imagine", {"prompt": "a cat"}, subject="a cat")
        return FinishedJob.of_outcome(order, Outcome(uuid, "task-1", Result(result)))

    def finish(self, job: FinishedJob, **options: Any) -> list[str]:
        """Finish a job; returns the names of the files saved."""
        target = options.pop("target", self.target)
        saved = self.saver.finish(job, target, force=options.pop("force", False), retry=RETRY, **options)
        return [Path(each).name for each in saved]

    @property
    def status(self) -> int:
        return self.context.output.status

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object that was printed."""
        found: dict[str, Any] = json.loads(self.out)
        return found


Begin = Callable[..., Case]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "images"
    path.mkdir()
    return path


@pytest.fixture
def begin(tmp_path: Path, directory: Path, service: Service) -> Iterator[Begin]:
    """Start a run with these flags; it prints JSON."""
    environ = {
        "MJ_CONFIG": str(tmp_path / "config.toml"),
        "MJ_DATA_DIR": str(tmp_path / "data"),
        "MJ_TOKEN": "api-token-0123456789",
        "MJ_BASE_URL": service.base_url,
    }
    with contextlib.ExitStack() as ends:

        def begin(json: bool = True) -> Case:
            case = Case(environ, Target(directory, "{image_id}-{index}.{ext}"), service, json=json)
            ends.callback(case.context.close)
            return case

        yield begin


@pytest.fixture(autouse=True)
def images(service: Service) -> None:
    """The service has four images, and two videos."""
    for number, name in enumerate(FOUR):
        service.files[f"/{name}"] = png(1000 + number)
    for number in (1, 2):
        service.files[f"/{number}.mp4"] = WHOLE["mp4"]


def saved_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# -- a new job -----------------------------------------------------------------------------------------


def test_a_new_job_is_saved_recorded_and_printed(begin: Begin, directory: Path) -> None:
    case = begin()
    result = case.result("1.png")
    (name,) = case.finish(case.new_job(result))
    assert saved_in(directory) == [name]
    assert (directory / name).read_bytes() == png(1000)
    assert case.document == {**result, "files": [str(directory / name)]}
    assert case.row().files == [str(directory / name)]
    assert case.row().files_due == 0
    assert case.status == 0


def test_without_a_target_the_result_is_printed_and_nothing_is_fetched(
    begin: Begin, directory: Path, service: Service
) -> None:
    case = begin()
    assert case.finish(case.new_job(case.result("1.png")), target=None) == []
    assert case.document["files"] == []
    assert service.received == []
    assert saved_in(directory) == []


def test_a_job_without_a_ledger_row_is_saved_and_printed(begin: Begin, directory: Path) -> None:
    case = begin()
    job = FinishedJob(Result(case.result("1.png")), "task-1")
    assert len(case.finish(job)) == len(saved_in(directory)) == 1
    assert case.status == 0


def test_a_result_without_files_saves_none(begin: Begin, directory: Path) -> None:
    case = begin()
    assert case.finish(case.new_job({"task_id": "task-1", "content": "a cat"})) == []
    assert saved_in(directory) == []
    assert case.document["content"] == "a cat"


def test_the_result_can_be_shown_in_another_way(begin: Begin) -> None:
    case, shown = begin(), []

    def show(*arguments: object) -> None:
        shown.append(arguments)

    case.finish(case.new_job(case.result("1.png")), show=show)
    ((job, files, problem),) = shown
    assert (job.task_id, len(files), problem) == ("task-1", 1, None)
    assert case.out == ""


def test_an_existing_file_is_kept_or_replaced_with_force(
    begin: Begin, directory: Path, service: Service
) -> None:
    case = begin(json=False)
    job = case.new_job(case.result("1.png"))
    (name,) = case.finish(job)
    service.received.clear()
    assert case.finish(job) == [name]
    assert f"Kept {directory / name}, which already exists; --force downloads it again." in case.err
    service.files["/1.png"] = png(2000)
    assert case.finish(job, force=True) == [name]
    assert (directory / name).read_bytes() == png(2000)
    assert saved_in(directory) == [name]


# -- failures ------------------------------------------------------------------------------------------


def test_one_missing_file_of_four_is_a_failure_that_prints_the_rest(
    begin: Begin, directory: Path, service: Service
) -> None:
    del service.files["/3.png"]
    case = begin()
    names = case.finish(case.new_job(case.result(*FOUR)))
    assert saved_in(directory) == sorted(names)
    assert len(names) == 3
    assert case.status == ExitCode.FILE
    document = case.document
    assert document["success"] is False
    assert document["error"]["code"] == "download"
    assert "The job is done and billed once, but a file is missing" in document["error"]["message"]
    assert document["task_id"] == "task-1"
    assert [Path(each).name for each in document["files"]] == names
    assert f"next: {RETRY}" in case.err
    assert (len(case.row().files), case.row().files_due) == (3, 1)


def test_four_missing_files_are_one_failure(begin: Begin, directory: Path, service: Service) -> None:
    service.files.clear()
    case = begin()
    assert case.finish(case.new_job(case.result(*FOUR))) == []
    assert "4 files are missing" in case.document["error"]["message"]
    assert (case.row().files, case.row().files_due) == ([], 4)
    assert saved_in(directory) == []


def test_a_download_that_was_not_part_of_the_job_leaves_nothing_due(begin: Begin, service: Service) -> None:
    del service.files["/3.png"]
    case = begin()
    row = case.record_job(case.result(*FOUR), files=False)
    case.finish(FinishedJob.of_job(row), requested=False)
    assert case.status == ExitCode.FILE
    assert (len(case.row().files), case.row().files_due) == (3, 0)


# -- an unusable ledger --------------------------------------------------------------------------------


def broken() -> Any:
    raise ConfigError("The ledger is locked.")


@pytest.mark.parametrize("ledger", [broken, lambda: None], ids=["locked", "none"])
def test_files_are_saved_without_a_ledger(begin: Begin, directory: Path, ledger: Callable[[], Any]) -> None:
    case = begin()
    context = case.context
    saver = Saver(
        context.output,
        context.settings,
        Lookup.of(context),
        ledger=ledger,
        downloader=lambda: context.downloader,
    )
    job = case.new_job(case.result("1.png"))
    saved = saver.finish(job, case.target, force=False, retry=RETRY)
    assert saved_in(directory) == [Path(each).name for each in saved]
    assert case.document["files"] == saved
    assert case.status == 0
    assert case.row().files == []


def test_a_full_disk_under_the_ledger_loses_no_file(
    begin: Begin, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise ConfigError("The disk is full.")

    case = begin()
    job = case.new_job(case.result("1.png"))
    monkeypatch.setattr(case.context.ledger, "set_files", full)
    assert case.finish(job) == saved_in(directory)
    assert case.status == 0


# -- earlier jobs and tasks ----------------------------------------------------------------------------


def test_a_resumed_job_adds_only_the_missing_files(begin: Begin, directory: Path, service: Service) -> None:
    del service.files["/3.png"]
    case = begin()
    first = case.finish(case.new_job(case.result(*FOUR)))
    service.files["/3.png"] = png(1002)
    service.received.clear()
    again = begin()
    names = again.finish(FinishedJob.of_job(again.row()))
    assert len(names) == 4
    assert set(first) < set(names)
    assert [each.path for each in service.gets()].count("/3.png") == 1
    assert saved_in(directory) == sorted(names)
    assert (len(again.row().files), again.row().files_due) == (4, 0)
    assert len(set(again.row().files)) == 4


def test_stale_links_of_an_earlier_job_are_refreshed(begin: Begin, directory: Path, service: Service) -> None:
    case = begin()
    stale = case.result("1.png")
    stale["raw_image_url"] += EXPIRED
    job = FinishedJob.of_job(case.record_job(stale))
    fresh = case.result("2.png")
    service.tasks["task-1"] = task_record("task-1", {"prompt": "a cat"}, fresh)
    (name,) = case.finish(job)
    assert (directory / name).read_bytes() == png(1001)
    assert case.document["raw_image_url"] == fresh["raw_image_url"]  # the result has the fresh link
    assert case.row().result == fresh


def test_the_record_of_a_task_is_stored_with_its_job(begin: Begin, directory: Path) -> None:
    case = begin()
    row = case.record_job({}, done=False)
    result = case.result("1.png")
    record = TaskRecord(task_record("task-1", {"prompt": "a cat"}, result))
    (name,) = case.finish(FinishedJob.of_record(record, "task-1"))
    stored = case.row(row.uuid)
    assert (stored.state, stored.result, stored.files_due) == ("done", result, 0)
    assert stored.files == [str(directory / name)]


# -- videos --------------------------------------------------------------------------------------------


def film(case: Case, *videos: str, cover: str = "1.png") -> FinishedJob:
    """A job that made these videos, with a cover."""
    urls = [case.link(each) for each in videos]
    return case.new_job(
        {"task_id": "task-1", "video_id": "video-1", "video_urls": urls, "image_url": case.link(cover)}
    )


def suffixes(names: list[str]) -> list[str]:
    return sorted(Path(each).suffix for each in names)


def test_videos_are_saved_with_their_cover(begin: Begin, directory: Path) -> None:
    case = begin()
    names = case.finish(film(case, "1.mp4", "2.mp4"), target=Target(directory))
    assert suffixes(names) == [".mp4", ".mp4", ".png"]
    assert saved_in(directory) == sorted(names)
    assert case.row().files_due == 0


def test_a_missing_cover_is_only_a_warning(begin: Begin, directory: Path) -> None:
    case = begin()
    names = case.finish(film(case, "1.mp4", "2.mp4", cover="none.png"), target=Target(directory))
    assert suffixes(names) == [".mp4", ".mp4"]
    assert "warning: The cover of the videos is missing" in case.err
    assert case.status == 0
    assert case.row().files_due == 0


def test_a_missing_video_is_a_failure(begin: Begin, directory: Path) -> None:
    case = begin()
    names = case.finish(film(case, "1.mp4", "none.mp4"), target=Target(directory))
    assert suffixes(names) == [".mp4", ".png"]
    assert case.status == ExitCode.FILE
    assert case.row().files_due == 1


def test_a_fixed_name_is_for_the_video_alone(begin: Begin, directory: Path) -> None:
    case = begin()
    assert case.finish(film(case, "1.mp4"), target=Target(directory, "film.mp4")) == ["film.mp4"]
    assert saved_in(directory) == ["film.mp4"]


# -- targets -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("template", ["{image_id}.{ext}", "cat.png"])
def test_a_stored_target_is_restored(begin: Begin, directory: Path, template: str, split: bool) -> None:
    case = begin()
    case.target = Target(directory, template, split=split)
    assert stored_target(case.record_job({})) == case.target
    assert stored_target(case.record_job({}, files=False)) is None


def test_files_are_saved_where_an_option_asks_for_it(begin: Begin, directory: Path) -> None:
    context = begin().context
    output, settings = context.output, context.settings
    assert file_target(output, settings, FileOptions()) is None
    assert file_target(output, settings, FileOptions(download=False, output="x/")) is None
    assert file_target(output, settings, FileOptions(download=True)) == Target(Path.cwd())
    assert file_target(output, settings, FileOptions(output=f"{directory}/")) == Target(directory)


def test_a_split_without_a_download_is_refused(begin: Begin) -> None:
    context = begin().context
    with pytest.raises(UsageError, match="--split cuts downloaded grids"):
        file_target(context.output, context.settings, FileOptions(download=False), split=True)


def test_an_output_that_cannot_be_written_is_refused_before_any_payment(
    begin: Begin, directory: Path
) -> None:
    (directory / "notes.txt").write_text("my notes")
    context = begin().context
    output, settings = context.output, context.settings
    with pytest.raises((ConfigError, DownloadError)):
        file_target(output, settings, FileOptions(output=str(directory / "notes.txt" / "x.png")))
    target = file_target(output, settings, FileOptions(output=str(directory / "notes.txt")))
    assert target is not None
    with pytest.raises(NameInUse):
        check_fixed_name(target, force=False)
    check_fixed_name(target, force=True)
