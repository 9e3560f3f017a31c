"""References, ids and id prefixes, looked up in a real ledger; the service is a fake client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from mjcli.api import Client, Result
from mjcli.api.models import TaskRecord
from mjcli.cli.lookup import Lookup
from mjcli.errors import (
    ApiError,
    ConfigError,
    DownloadError,
    ExitCode,
    LostResponse,
    MjError,
    NetworkError,
    StillRunning,
    UnknownTask,
    UsageError,
)
from mjcli.jobs.ledger import Ledger
from mjcli.settings.load import Settings, load_settings
from tests.support.images import png
from tests.support.service import task_record

HOST = "https://api.example"
LINK = "https://cdn.example/cat.png"
EXPIRED = f"{LINK}?ex=5f000000&is=5e000000&hm=a"


class FakeClient:
    """A client that has these tasks; `calls` are the ids it was queried for. A task may be an error to raise."""

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any] | MjError] = {}
        self.calls: list[str] = []

    def task(self, task_id: str, **_: object) -> TaskRecord | None:
        self.calls.append(task_id)
        found = self.tasks.get(task_id)
        if isinstance(found, MjError):
            raise found
        return TaskRecord(found) if found is not None else None


class Jobs:
    """Adds jobs to the ledger in the state that a test needs."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def add(self, name: str, state: str = "done", *, kind: str = "imagine", **options: Any) -> str:
        """Add a job with task "task-NAME" and image "image-NAME"; return its uuid."""
        ledger, task = self._ledger, f"task-{name}"
        uuid = ledger.record(
            profile=options.get("profile", "default"),
            host=options.get("host", HOST),
            kind=kind,
            path="/midjourney/imagine",
            request={"prompt": f"a {name}"},
            files_asked=None,
            parent_image=None,
            subject=f"a {name}",
        )
        if state == "queued":
            return uuid
        if state == "never sent":
            ledger.mark_failed(uuid, code="interrupted", message="Interrupted.")
            return uuid
        ledger.mark_sent(uuid)
        if state in ("running", "done", "failed"):
            ledger.mark_running(uuid, task)
        if state == "unknown":
            ledger.mark_unknown(uuid, None, code="network", message="Lost.")
        elif state == "failed":
            ledger.mark_failed(uuid, code="bad_request", message="Banned words.")
        elif state == "done":
            result = options.get("result", {"image_id": f"image-{name}", "raw_image_url": LINK})
            ledger.mark_done(uuid, result, image_id=Result(result).id)
        return uuid


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path / "ledger.db", notice=pytest.fail)
    yield opened
    opened.close()


@pytest.fixture
def jobs(ledger: Ledger) -> Jobs:
    return Jobs(ledger)


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"MJ_CONFIG": str(tmp_path / "none.toml"), "MJ_BASE_URL": HOST})


@pytest.fixture
def lookup(settings: Settings, ledger: Ledger, client: FakeClient) -> Lookup:
    return Lookup(settings, ledger=lambda: ledger, client=lambda: cast(Client, client))


def refusal(look: Any, *arguments: Any) -> UsageError:
    """The usage error of this call."""
    with pytest.raises(UsageError) as caught:
        look(*arguments)
    return caught.value


# -- references ----------------------------------------------------------------------------------------


def test_references_count_the_jobs_of_the_profile_from_the_newest(lookup: Lookup, jobs: Jobs) -> None:
    jobs.add("cat")
    jobs.add("dog", "running")
    jobs.add("owl", profile="work")
    assert lookup.job("@last").task_id == lookup.job("@1").task_id == "task-dog"
    assert lookup.job("@2").task_id == lookup.job("@002").task_id == "task-cat"


@pytest.mark.parametrize("text", ["@", "@0", "@-1", "@1.5", "@LAST", "@²", "@1 ", "@" + "9" * 30, "@\x1b[2J"])
def test_a_malformed_reference_is_refused(lookup: Lookup, jobs: Jobs, text: str) -> None:
    jobs.add("cat")
    error = refusal(lookup.job, text)
    assert "is not a valid reference" in error.message
    assert "\x1b" not in error.message


def test_a_reference_without_any_job_suggests_the_first_one(lookup: Lookup, settings: Settings) -> None:
    error = refusal(lookup.job, "@last")
    assert error.message == 'No jobs yet in profile "default".'
    assert error.hint == 'mj imagine "a cat"'
    without = Lookup(settings, ledger=lambda: None, client=lambda: cast(Client, None))
    assert refusal(without.job, "@2").message == error.message


def test_a_reference_beyond_the_oldest_job_is_refused(lookup: Lookup, jobs: Jobs) -> None:
    jobs.add("cat")
    assert refusal(lookup.job, "@2").message == 'Profile "default" has fewer jobs than @2.'


# -- ids and id prefixes -------------------------------------------------------------------------------


def test_a_job_is_found_by_task_image_uuid_or_a_prefix_of_them(lookup: Lookup, jobs: Jobs) -> None:
    uuid = jobs.add("cat")
    for text in ("task-cat", "image-cat", uuid, "task-c", "imag", uuid[:8]):
        assert lookup.job(text).uuid == uuid
        assert lookup.has_prefix(text)


def test_an_exact_id_wins_over_longer_ones(lookup: Lookup, jobs: Jobs) -> None:
    jobs.add("cat")
    jobs.add("cats")
    assert lookup.job("task-cat").task_id == "task-cat"


def test_a_short_id_is_found_only_as_a_whole(lookup: Lookup, jobs: Jobs, ledger: Ledger) -> None:
    uuid = jobs.add("cat", "queued")
    ledger.mark_running(uuid, "abc")
    assert lookup.job("abc").uuid == uuid
    assert "at least 4 characters" in refusal(lookup.job, "ab").message
    assert not lookup.has_prefix("ab")


def test_an_ambiguous_prefix_lists_the_ids_it_could_be(lookup: Lookup, jobs: Jobs) -> None:
    for number in range(7):
        jobs.add(f"cat{number}")
    error = refusal(lookup.job, "task")
    assert error.message.startswith('"task" matches several ids: task-cat6 (a cat6), task-cat5 (a cat5)')
    assert error.message.endswith("task-cat2 (a cat2), ….")
    assert error.hint is not None
    assert error.hint.splitlines()[0] == "add more characters of the id"


def test_several_jobs_of_one_image_are_not_ambiguous(lookup: Lookup, jobs: Jobs) -> None:
    result = {"image_id": "image-one", "raw_image_url": LINK}
    jobs.add("cat", result=result)
    jobs.add("dog", result=result)
    assert lookup.job("image-o").task_id == "task-dog"


def test_jobs_of_another_profile_are_not_found(lookup: Lookup, jobs: Jobs) -> None:
    jobs.add("cat", profile="work")
    assert lookup.known_job("task-cat") is None
    assert refusal(lookup.job, "task-cat").message == 'No job in profile "default" matches "task-cat".'


@pytest.mark.parametrize("text", ["", "a b", "a\nb", "\x1b[2J", "x" * 201])
def test_a_malformed_id_is_refused(lookup: Lookup, text: str) -> None:
    error = refusal(lookup.known_job, text, "image")
    assert error.message.endswith("is not an image id.")
    assert "\x1b" not in error.message
    assert refusal(lookup.known_job, text).message.endswith("is not a job id.")


@pytest.mark.parametrize("text", ["1.57552E+18", "1,57552E+18", "2E+18", "1.57552e+18"])
def test_an_id_that_a_spreadsheet_rounded_is_refused(lookup: Lookup, text: str) -> None:
    assert "a spreadsheet has rounded" in refusal(lookup.image, text).message


def test_without_a_usable_ledger_an_id_is_merely_unknown(settings: Settings) -> None:
    def broken() -> Ledger:
        raise ConfigError("locked")

    lookup = Lookup(settings, ledger=broken, client=lambda: cast(Client, None))
    assert lookup.known_job("task-cat") is None
    with pytest.raises(ConfigError):
        lookup.job("@last")


# -- hosts ---------------------------------------------------------------------------------------------


def test_a_job_of_another_host_is_refused(lookup: Lookup, jobs: Jobs) -> None:
    jobs.add("cat", host="https://old.example")
    error = refusal(lookup.task, "@last")
    assert (
        error.message
        == 'Job task-cat was sent to https://old.example, but profile "default" now uses https://api.example.'
    )
    assert lookup.task("task-cat") == "task-cat"  # a full id may be queried anywhere


# -- images, videos, tasks -----------------------------------------------------------------------------

NO_IMAGE = ["queued", "sent", "unknown", "running", "failed", "never sent"]


@pytest.mark.parametrize("state", NO_IMAGE)
def test_a_job_that_is_not_done_has_no_image_or_video(lookup: Lookup, jobs: Jobs, state: str) -> None:
    jobs.add("owl")
    uuid = jobs.add("cat", state)
    job = lookup.job("@1")
    error = refusal(lookup.image, "@1")
    assert error.message == f"@1 has no image: its state is {job.state}."
    resumable = state not in ("failed", "never sent")
    expected = f"mj resume {job.reference}" if resumable else "@2 is the newest job with an image"
    assert error.hint == expected
    assert refusal(lookup.video, uuid).message == f'{uuid} has no video: "imagine" jobs make none.'


def test_a_done_job_has_its_image_and_no_video(lookup: Lookup, jobs: Jobs) -> None:
    jobs.add("cat")
    image = lookup.image("@last")
    assert (image.id, image.job) == ("image-cat", lookup.job("@last"))
    assert refusal(lookup.video, "@last").message == '@last has no video: "imagine" jobs make none.'


def test_a_video_is_not_an_image(lookup: Lookup, jobs: Jobs) -> None:
    jobs.add("film", kind="video", result={"video_id": "video-1", "video_urls": ["https://e/1.mp4"]})
    assert lookup.video("@last").id == "video-1"
    assert refusal(lookup.image, "@last").message == '@last has no image: "video" jobs make none.'


def test_a_video_that_is_not_finished_is_resumed(lookup: Lookup, jobs: Jobs) -> None:
    jobs.add("film", "running", kind="video")
    error = refusal(lookup.video, "@1")
    assert error.message == "@1 has no video: its state is running."
    assert error.hint == "mj resume task-film"
    with pytest.raises(StillRunning) as caught:
        lookup.video("@last")
    assert caught.value.task_id == "task-film"
    assert caught.value.hint == "mj resume task-film"


def test_an_unknown_id_is_used_as_it_is(lookup: Lookup, client: FakeClient) -> None:
    assert lookup.image("1234-5678") == ("1234-5678", None)
    assert lookup.video("1234-5678") == ("1234-5678", None)
    assert lookup.task("1234-5678") == "1234-5678"
    assert client.calls == []


@pytest.mark.parametrize("what", ["image", "video"])
def test_a_link_is_not_an_id(lookup: Lookup, what: str) -> None:
    article = {"image": "an image", "video": "a video"}[what]
    error = refusal(getattr(lookup, what), LINK)
    assert error.message == f"Expected {article} id, not a link; results show the id."


@pytest.mark.parametrize("state", ["running", "done", "failed"])
def test_an_accepted_job_has_its_task(lookup: Lookup, jobs: Jobs, state: str) -> None:
    uuid = jobs.add("cat", state)
    assert lookup.task("@last") == lookup.task(uuid[:8]) == "task-cat"


@pytest.mark.parametrize("state", ["queued", "never sent"])
def test_a_job_that_was_not_accepted_has_no_task(lookup: Lookup, jobs: Jobs, state: str) -> None:
    jobs.add("cat", state)
    assert refusal(lookup.task, "@last").message == "@last has no task: it was never accepted."


def test_a_result_without_a_task_id_is_said_to_have_none(lookup: Lookup, jobs: Jobs, ledger: Ledger) -> None:
    uuid = jobs.add("cat", "sent")
    ledger.mark_done(uuid, {"content": "two"}, image_id=None)
    assert refusal(lookup.task, "@last").message == "@last has no task: the response contained none."


@pytest.mark.parametrize("state", ["sent", "unknown"])
def test_the_task_of_a_lost_response_is_searched_for(
    lookup: Lookup, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    from mjcli.jobs import recover

    jobs.add("cat", state)
    searched: list[Any] = []

    def find(_client: object, _ledger: object, host: str, job: Any) -> str:
        searched.append((host, job.words))
        return "task-found"

    monkeypatch.setattr(recover, "find_lost_task", find)
    assert lookup.task("@last") == "task-found"
    assert searched == [(HOST, "a cat")]


# -- sources and links ---------------------------------------------------------------------------------


def test_a_source_is_a_link_a_file_or_an_image(lookup: Lookup, jobs: Jobs, tmp_path: Path) -> None:
    jobs.add(
        "cat", result={"image_id": "i", "raw_image_url": LINK, "raw_image_width": 8, "raw_image_height": 4}
    )
    file = tmp_path / "my cat.png"
    file.write_bytes(png())
    link, named, image = (lookup.source(each) for each in (f"{LINK}/a%20b.png", str(file), "@last"))
    assert (link.words, link.parent, link.known_size) == ("a b.png", None, None)
    assert (named.words, named.parent) == ("my cat.png", None)
    assert named.known_size is not None
    assert (image.words, image.parent) == ("a cat", "i")


def test_a_valid_link_of_the_ledger_is_used_without_a_query(
    lookup: Lookup, jobs: Jobs, client: FakeClient
) -> None:
    jobs.add("cat")
    assert lookup.link("@last") == lookup.link(LINK) == LINK
    assert client.calls == []


def test_an_expired_link_is_refreshed(lookup: Lookup, jobs: Jobs, client: FakeClient) -> None:
    jobs.add("cat", result={"image_id": "image-cat", "raw_image_url": EXPIRED})
    client.tasks["task-cat"] = task_record("task-cat", {}, {"image_id": "image-cat", "raw_image_url": LINK})
    assert lookup.link("@last", refresh=False) == EXPIRED
    assert client.calls == []
    assert lookup.link("@last") == LINK
    assert lookup.link("@last", refresh=False) == LINK  # the ledger has it now


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (None, UsageError, ExitCode.USAGE),
        (NetworkError("No connection."), NetworkError, ExitCode.UNAVAILABLE),
        (ApiError("no", code="invalid_token", status=401), ApiError, ExitCode.AUTH),
    ],
)
def test_an_expired_link_that_cannot_be_refreshed_is_refused(
    lookup: Lookup, jobs: Jobs, client: FakeClient, answer: Any, kind: type[MjError], code: ExitCode
) -> None:
    jobs.add("cat", result={"image_id": "image-cat", "raw_image_url": EXPIRED})
    if answer is not None:
        client.tasks["task-cat"] = answer
    with pytest.raises(kind) as caught:
        lookup.link("@last")
    assert caught.value.exit_code == code
    if code != ExitCode.AUTH:
        assert "has expired" in caught.value.message
        assert caught.value.message.endswith("Nothing was sent.")


@pytest.mark.parametrize("text", ["https://e/a b.png", "https://e/\x01.png"])
def test_a_link_with_a_space_or_control_character_is_refused(lookup: Lookup, text: str) -> None:
    assert "contains a space or control character" in refusal(lookup.link, text).message


def test_an_id_that_the_ledger_does_not_know_has_no_link(lookup: Lookup) -> None:
    assert "is not a link, a file, or an image in the ledger" in refusal(lookup.link, "1234-5678").message


# -- finished jobs -------------------------------------------------------------------------------------


def test_a_done_job_is_finished_without_a_query(lookup: Lookup, jobs: Jobs, client: FakeClient) -> None:
    jobs.add("cat")
    found = lookup.finished(lookup.job("@last"))
    assert (found.task_id, found.subject, found.result.file_urls) == ("task-cat", "a cat", [LINK])
    assert client.calls == []


@pytest.mark.parametrize("state", ["queued", "sent", "unknown", "running"])
def test_an_unfinished_job_is_still_running(lookup: Lookup, jobs: Jobs, state: str) -> None:
    jobs.add("cat", state)
    job = lookup.job("@last")
    with pytest.raises(StillRunning) as caught:
        lookup.finished(job)
    assert caught.value.hint == f"mj resume {job.reference}"


@pytest.mark.parametrize(("state", "reason"), [("failed", "Banned words."), ("never sent", "was never sent")])
def test_a_failed_job_is_an_error_with_the_status_of_a_refusal(
    lookup: Lookup, jobs: Jobs, state: str, reason: str
) -> None:
    jobs.add("cat", state)
    with pytest.raises(MjError) as caught:
        lookup.finished(lookup.job("@last"))
    assert caught.value.exit_code == ExitCode.REFUSED
    assert reason in caught.value.message


def test_a_task_that_only_the_service_knows_is_queried(lookup: Lookup, client: FakeClient) -> None:
    client.tasks["t1"] = task_record("t1", {"prompt": "a cat"}, {"raw_image_url": LINK, "task_id": "t1"})
    found = lookup.finished("t1")
    assert (found.task_id, found.subject, found.link, found.job) == ("t1", "a cat", LINK, None)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (None, StillRunning),
        ({"success": False, "error": {"code": "bad_request", "message": "no"}}, ApiError),
        ({"content": "only text"}, DownloadError),
    ],
)
def test_a_task_without_files_is_an_error(
    lookup: Lookup, client: FakeClient, response: Any, kind: type[MjError]
) -> None:
    client.tasks["t1"] = task_record("t1", {"prompt": "a cat"}, response)
    with pytest.raises(kind) as caught:
        lookup.finished("t1", "cats/")
    assert caught.value.task_id in ("t1", None)
    if kind is StillRunning:
        assert caught.value.hint == "mj describe-task t1 --wait --download -o cats/"


def test_a_task_that_is_not_known_anywhere_is_an_error(lookup: Lookup) -> None:
    with pytest.raises(UnknownTask, match='"t1" was not found in the ledger or at the service'):
        lookup.finished("t1")


def test_a_lost_query_is_passed_on(lookup: Lookup, client: FakeClient) -> None:
    client.tasks["t1"] = LostResponse("The connection was closed early.")
    with pytest.raises(LostResponse):
        lookup.finished("t1")
