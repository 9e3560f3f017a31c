"""One job as a row of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mjcli.api.endpoints import endpoint
from mjcli.api.models import ResultKind
from mjcli.errors import ApiError, ExitCode, MjError
from mjcli.jobs.names import UNFINISHED, VIDEO_KINDS, is_plain

STATES = (*UNFINISHED, "done", "failed")

ID_PREFIX = 8  # characters of a uuid that name a job in a command

# Error codes of jobs that the user ended, not the service.
INTERRUPTED, GIVEN_UP, RESUBMITTED = "interrupted", "given_up", "resubmitted"
INTERNAL = "internal"  # the error code of an unexpected failure of this program

_IMAGINE_KINDS = ("imagine", "action", "blend")  # kinds that use the imagine endpoint


def name_of(task_id: str | None, uuid: str) -> str:
    """What names a job in a command: its task id if that is plain, else the prefix of its uuid."""
    return task_id if task_id and is_plain(task_id) else uuid[:ID_PREFIX]


def action_of(kind: str, request: Mapping[str, Any]) -> str:
    """Return the name of what a job does: the request's action if it is more specific than the kind."""
    return str(request.get("action", kind)) if kind in _IMAGINE_KINDS else kind


def parent_in(request: Mapping[str, Any]) -> str | None:
    """The id of the image or video that a request is about."""
    found = request.get("image_id") or request.get("video_id")
    return found if isinstance(found, str) else None


class Job(NamedTuple):
    """One row of the ledger, with its JSON columns parsed.

    Times are Unix seconds. `image_id` is the id of the video for a job that made one. `clock_offset` is how
    many seconds the service's clock was ahead of ours when the request was sent, None if it is unknown;
    `boot_id` and `sent_uptime` are the boot of the system and its uptime then. `key` is the job's key, and
    `key_fingerprint` identifies the request as it was typed. `files_sha256` is parallel to `files`, with None
    for an unknown hash, or None altogether; `files_received_sha256` is the same of the bytes as received, with None for
    a file that has these bytes. `source_sha256` is that of the file that the job starts from.
    `listed_after` is the number of the job after which an imported task is listed; None for a job of this ledger.
    `batch` is the name of the batch that the job belongs to, and `item` identifies its line and step there.
    `estimate` is what it was expected to cost and `charged` what the usage records say, in USD; `trace_id` links it
    to those.
    """

    number: int
    uuid: str
    profile: str
    host: str
    kind: str
    path: str
    request: dict[str, Any]
    state: str
    created_at: float
    changed_at: float
    task_id: str | None
    image_id: str | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    files_asked: dict[str, Any] | None
    files: list[str]
    parent_image: str | None
    subject: str
    sent_at: float | None
    accepted_at: float | None
    ended_at: float | None
    files_due: int
    clock_offset: float | None = None
    boot_id: str | None = None
    sent_uptime: float | None = None
    key: str | None = None
    key_fingerprint: str | None = None
    files_sha256: list[str | None] | None = None
    source_sha256: str | None = None
    listed_after: int | None = None
    batch: str | None = None
    item: str | None = None
    estimate: float | None = None
    charged: float | None = None
    trace_id: str | None = None
    files_received_sha256: list[str | None] | None = None

    @property
    def prompt(self) -> str:
        """The prompt that was sent; empty for an action without one."""
        return str(self.request.get("prompt") or "")

    @property
    def words(self) -> str:
        """What the job is about: its subject, or its prompt in a row from an older version."""
        return self.subject or self.prompt

    @property
    def action(self) -> str:
        """The name of what the job does."""
        return action_of(self.kind, self.request)

    @property
    def makes(self) -> ResultKind:
        """What the job makes if it succeeds."""
        if self.kind in VIDEO_KINDS:
            return "video"
        named = endpoint(self.kind)
        return named.result if named.result == "text" else endpoint(self.path.rpartition("/")[2]).result

    @property
    def made_video(self) -> bool:
        """Whether the job makes a video."""
        return self.makes == "video"

    @property
    def has_image(self) -> bool:
        """Whether the job is done and made an image."""
        return self.state == "done" and self.image_id is not None and self.makes == "image"

    @property
    def has_video(self) -> bool:
        """Whether the job is done and made a video."""
        return self.state == "done" and self.image_id is not None and self.makes == "video"

    @property
    def parent(self) -> str | None:
        """The id of the image or video that the job was applied to; a row from elsewhere has it in its request."""
        return self.parent_image or parent_in(self.request)

    @property
    def unsent(self) -> bool:
        """Whether no byte of the request was sent."""
        return self.state == "submitting" and self.sent_at is None

    @property
    def unfinished(self) -> bool:
        """Whether resuming the job does anything: it has no outcome yet, or files are missing."""
        return self.state in UNFINISHED or (self.state == "done" and self.files_due > 0)

    @property
    def steps(self) -> list[str]:
        """The paths of its intermediate pictures that were kept."""
        found = (self.files_asked or {}).get("steps")
        return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []

    @property
    def reference(self) -> str:
        """What names the job in a command: its task id if that is plain, else the prefix of its uuid."""
        return name_of(self.task_id, self.uuid)

    @property
    def given_up(self) -> bool:
        """Whether the user gave the job up or resubmitted it; the service may have billed it anyway."""
        return (self.error or {}).get("code") in (GIVEN_UP, RESUBMITTED)

    @property
    def was_accepted(self) -> bool:
        """Whether the service is known to have accepted the request, although it may have returned no task id."""
        return self.task_id is not None or self.accepted_at is not None

    @property
    def never_accepted(self) -> bool:
        """Whether the request was certainly not accepted, so that sending it is safe."""
        if self.unsent:
            return True
        if self.state != "failed" or self.was_accepted or self.given_up:
            return False
        return self.sent_at is None or (self.error or {}).get("code") != INTERNAL

    def failure(self) -> MjError:
        """Return the error of a failed job, with the exit status of a failed job."""
        error = self.error or {}
        code = str(error.get("code") or "api_error")
        message = str(error.get("message") or "no reason given")
        failure: MjError
        if self.given_up:
            failure = MjError(f"The job {self.reference} is no longer followed: {message}", code=code)
        elif self.sent_at is None:
            failure = MjError(f"The job was never sent: {message}", code=code)
        else:
            failure = ApiError(message, code=code, accepted=self.was_accepted)
        failure.task_id, failure.exit_code = self.task_id, ExitCode.REFUSED
        return failure


def digests_of(job: Job) -> dict[str, str | None]:
    """The files of a job, each with its SHA-256 digest, None where the ledger has none."""
    return _by_path(job, job.files_sha256)


def received_digests_of(job: Job) -> dict[str, str | None]:
    """The same of the bytes as received; None for a file that has these bytes."""
    return _by_path(job, job.files_received_sha256)


def _by_path(job: Job, digests: list[str | None] | None) -> dict[str, str | None]:
    known = digests or ()
    return {path: known[n] if n < len(known) else None for n, path in enumerate(job.files)}
