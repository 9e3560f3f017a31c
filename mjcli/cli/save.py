"""Finish a job: save its files, record them in the ledger, and print the result."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mjcli.cli.output.result import print_result
from mjcli.cli.output.watch import FilesWatch
from mjcli.errors import ConfigError, DownloadError, UsageError, without_stop

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.cli.context import Context
    from mjcli.cli.finished import FinishedJob
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.options import FileOptions
    from mjcli.cli.output.sink import Output
    from mjcli.jobs.job import Job
    from mjcli.jobs.ledger import Ledger
    from mjcli.media.names import Target
    from mjcli.media.place import Saved
    from mjcli.settings.load import Settings

Links = Callable[["Result"], Sequence[str]]
Fetch = Callable[[Sequence[str], Links], tuple[list["Saved"], list[DownloadError]]]
Show = Callable[["FinishedJob", list[str], "DownloadError | None"], None]


# -- where files go --------------------------------------------------------------------------------


def file_target(settings: Settings, files: FileOptions, *, split: bool = False) -> Target | None:
    """Where files go, None when none are to be saved. Raises `UsageError`, `ConfigError` before any payment."""
    if split and files.download is False:
        raise UsageError("--split cuts downloaded grids, so it cannot be combined with --no-download.")
    download = files.download
    if download is None:
        download = bool(settings.download.value) or files.output is not None or split
    if not download:
        return None
    from mjcli.media.names import check_writable

    target = output_target(settings, files.output, split=split)
    check_writable(target, force=files.force)
    return target


def output_target(settings: Settings, output: str | None, *, split: bool = False) -> Target:
    """The target of --output, else the default one. Raises `UsageError` for a bad template or without Pillow."""
    from mjcli.media.names import parse_target

    if split:
        from mjcli.media.grid import check_pillow

        check_pillow()
    return parse_target(output, settings.output.value or ".")._replace(split=split)


def stored_target(job: Job) -> Target | None:
    """Where the files of a job were to go, as `target_record` stored it; None when none were requested."""
    if job.files_asked is None:
        return None
    from mjcli.media.names import Target

    stored = job.files_asked
    return Target(Path(stored["directory"]), stored["template"], split=bool(stored.get("split")))


def target_record(target: Target | None, *, force: bool) -> dict[str, Any] | None:
    """A target as the ledger stores it."""
    if target is None:
        return None
    record = {"directory": str(target.directory), "template": target.template, "force": force}
    return {**record, "split": True} if target.split else record


# -- finishing -------------------------------------------------------------------------------------


class Saver:
    """Finishes jobs: one way for a new job, a resumed one, a download, a task and a callback.

    `ledger` returns the ledger, which may raise `ConfigError`: the files count more than their record.
    """

    def __init__(
        self, output: Output, settings: Settings, lookup: Lookup, *, ledger: Callable[[], Ledger | None]
    ) -> None:
        self._output, self._settings, self._lookup, self._ledger = output, settings, lookup, ledger

    @classmethod
    def of(cls, context: Context, lookup: Lookup) -> Saver:
        """The saver of this run."""
        return cls(context.output, context.settings, lookup, ledger=lambda: context.existing_ledger)

    def finish(
        self,
        job: FinishedJob,
        target: Target | None,
        *,
        force: bool,
        retry: str | None,
        requested: bool = True,
        show: Show | None = None,
    ) -> list[str]:
        """Save the files of a job to `target`, if any, record and print the result; returns the paths saved.

        `retry` is the command that saves missing files. `requested` says that the job itself was to save
        files, so that those missing are left to `mj resume`. `show` prints it another way.
        """
        saved: list[str] = []
        failures: list[DownloadError] = []
        if target is not None:
            saved, failures = self._save(job, target, force=force)
        due = len(failures) if requested or job.job is None else min(job.job.files_due, len(failures))
        finished = self._record(job, saved, due)
        (show or self._show)(finished, saved, _missing(failures, job.task_id, retry) if failures else None)
        return saved

    def report_kept(self, paths: Sequence[Path | str]) -> None:
        """Report files that existed already and were not downloaded again."""
        for path in paths:
            self._output.notice(f"Kept {path}, which already exists; --force downloads it again.")

    def _show(self, job: FinishedJob, saved: list[str], problem: DownloadError | None) -> None:
        print_result(self._output, job.result, saved, problem)

    def _record(self, job: FinishedJob, saved: Sequence[str], due: int) -> FinishedJob:
        """Record the files in the ledger; returns the job with the result as the ledger has it now."""
        with contextlib.suppress(ConfigError):  # the files are there, whatever the ledger knows of them
            ledger = self._ledger()
            if ledger is None:
                return job
            if job.record is not None:
                from mjcli.jobs.follow import record_task_result

                record_task_result(ledger, self._settings.host, job.record, saved)
            elif job.uuid is not None:
                if saved:
                    before = job.job.files if job.job is not None else ()
                    ledger.set_files(job.uuid, list(dict.fromkeys((*before, *saved))), files_due=due)
                row = ledger.get(job.uuid)
                if _is_earlier(job) and row is not None and row.result:
                    from mjcli.api.models import Result

                    return job._replace(result=Result(row.result))  # its links may be fresh
        return job

    # -- files -------------------------------------------------------------------------------------

    def _save(
        self, job: FinishedJob, target: Target, *, force: bool
    ) -> tuple[list[str], list[DownloadError]]:
        """Download the files of a job; returns absolute paths, and what went wrong."""
        from mjcli.media.download import Downloader
        from mjcli.media.place import sweep

        result = job.result
        if not result.file_urls:
            return [], []
        sweep(target.directory)  # partial files of an mj that was killed
        settings = self._settings
        with Downloader(
            allow_private=settings.api_is_local, use_environment=not settings.sandbox.value
        ) as downloader:

            def fetch(urls: Sequence[str], links: Links) -> tuple[list[Saved], list[DownloadError]]:
                with FilesWatch(self._output, len(urls)) as progress:
                    return downloader.save_all(
                        urls,
                        target,
                        job.name_fields,
                        force=force,
                        refresh=lambda: links(self._lookup.fresh_result(job.task_id or result.task_id)),
                        stale=lambda url: _is_earlier(job) and self._lookup.is_stale(url),
                        progress=progress,
                    )

            files, failures = fetch(result.file_urls, lambda fresh: fresh.file_urls)
            files += self._cover(result, target, fetch)
        self.report_kept([file.path for file in files if file.kept])
        paths = [file.path for file in files]
        if target.split and len(result.file_urls) == len(paths) == 1:
            paths += self._quadrants(result, paths[0], failures, force=force)
        return [str(path) for path in paths], failures

    def _cover(self, result: Result, target: Target, fetch: Fetch) -> list[Saved]:
        """The cover of videos; a missing one is only a warning, since the videos are what was paid for."""
        # A fixed name is meant for the videos.
        if not result.video_urls or result.image_link is None or target.fixed is not None:
            return []
        files, failures = fetch([result.image_link], lambda fresh: [fresh.image_link or ""])
        for error in failures:
            self._output.warning(f"The cover of the videos is missing: {error.message}")
        return files

    def _quadrants(
        self, result: Result, grid: Path, failures: list[DownloadError], *, force: bool
    ) -> list[Path]:
        """The four images cut from a grid; what goes wrong is added to `failures`."""
        from mjcli.api.actions import modern
        from mjcli.media.grid import check_pillow, quadrants

        if "upscale1" not in map(modern, result.actions):
            self._output.notice(f"{grid} is a single image, so it is not split.")
            return []
        try:
            check_pillow()
            parts = quadrants(grid, force=force)
        except (DownloadError, UsageError) as error:
            failures.append(DownloadError(error.message, hint=error.hint))
            return []
        self.report_kept([part.path for part in parts if part.kept])
        return [part.path for part in parts]


def _is_earlier(job: FinishedJob) -> bool:
    """Whether the links are those of an earlier run, so that they may have expired since."""
    return job.job is not None and job.job.state == "done"


def _missing(failures: Sequence[DownloadError], task_id: str | None, retry: str | None) -> DownloadError:
    """The files of a job that could not be saved, as one failure."""
    reasons = "; ".join(dict.fromkeys(without_stop(error.message) for error in failures))
    what = "a file is" if len(failures) == 1 else f"{len(failures)} files are"
    return DownloadError(
        f"The job is done and billed once, but {what} missing: {reasons}.", task_id=task_id, hint=retry
    )
