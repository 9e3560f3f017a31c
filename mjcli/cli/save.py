"""Finish a job: save its files, record them in the ledger, and print the result."""

from __future__ import annotations

import contextlib
import copy
import os
from _thread import RLock
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mjcli.cli.hints import command, with_note
from mjcli.cli.output.result import print_result
from mjcli.cli.output.watch import FilesWatch
from mjcli.cli.pipe import STDOUT, check_one_image, stdout_target
from mjcli.errors import ConfigError, DownloadError, MjError, UsageError, unexpected, without_stop
from mjcli.jobs.job import digests_of

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.cli.context import Context
    from mjcli.cli.finished import FinishedJob
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.options import FileOptions
    from mjcli.cli.output.sink import Output
    from mjcli.jobs.job import Job
    from mjcli.jobs.ledger import Ledger
    from mjcli.jobs.order import Order
    from mjcli.media.download import Downloader, OwnFiles
    from mjcli.media.metadata import Metadata
    from mjcli.media.names import Target
    from mjcli.media.place import Saved
    from mjcli.settings.load import Settings

Links = Callable[["Result"], Sequence["str | None"]]
Fetched = tuple[list["Saved"], list[DownloadError]]
_IMAGES, _VIDEOS = ("png", "jpg", "webp", "gif", "avif"), ("mp4",)  # extensions of results

_SIZE_LIMIT = "the limit of --max-size"  # in the message of a download that it stopped

Show = Callable[["FinishedJob", list[str], "DownloadError | None"], None]


def preload(*, files: bool) -> None:
    """Import everything that the end of a job needs, with or without files, before its request is sent.

    A job takes minutes, in which the program may be replaced; its result must not be lost by that.
    """
    import mjcli.api.actions
    import mjcli.api.client
    import mjcli.cli.output.features
    import mjcli.jobs.follow
    import mjcli.jobs.imports
    import mjcli.jobs.runner

    if files:
        import mjcli.media.download
        import mjcli.media.grid  # noqa: F401


# -- where files go --------------------------------------------------------------------------------


def file_target(
    output: Output, settings: Settings, files: FileOptions, *, split: bool = False
) -> Target | None:
    """Where files go, None when none are to be saved. Raises `UsageError`, `ConfigError` before any payment."""
    target = requested_target(output, settings, files, split=split)
    if target is not None:
        from mjcli.media.place import check_writable

        check_writable(target)
    return target


def requested_target(
    output: Output, settings: Settings, files: FileOptions, *, split: bool = False
) -> Target | None:
    """The same for a job that was sent before: the target is not checked. Raises `UsageError`."""
    if split and files.download is False:
        raise UsageError("--split cuts downloaded grids, so it cannot be combined with --no-download.")
    download = files.download
    if files.wants_metadata and download is False:
        raise UsageError(
            f"--metadata {files.metadata} saves the images, so it cannot be combined with --no-download."
        )
    if download is None:
        download = bool(settings.download.value) or files.output is not None or split or files.wants_metadata
    if not download:
        _check_unused(files)
        return None
    return output_target(output, settings, files, split=split)


def _check_unused(files: FileOptions) -> None:
    """Check options that have no effect because nothing is saved; a wrong value is a mistake. Raises `UsageError`."""
    if files.max_size is None and files.output is None:
        return  # without the imports below
    from mjcli.media.names import parse_size, parse_target

    if files.max_size is not None:
        parse_size(files.max_size)
    if files.output == STDOUT:
        raise UsageError("--output - writes an image, so it cannot be combined with --no-download.")
    if files.output is not None:
        parse_target(_absolute("--output", files.output), Path())


def output_target(output: Output, settings: Settings, files: FileOptions, *, split: bool = False) -> Target:
    """The target of --output, else the default one. Raises `UsageError` for a bad template or without Pillow."""
    from mjcli.media.names import parse_target

    if split:
        from mjcli.media.grid import check_split

        check_split()
    if files.output == STDOUT:
        target = stdout_target(output, split=split)
    elif files.output is not None:
        target = parse_target(_absolute("--output", files.output), Path())
    else:
        directory = _absolute("The output directory", settings.output.value or ".")
        target = (
            parse_target(f"{directory}/", Path()) if "{" in directory else parse_target(None, Path(directory))
        )
    if target.stdout and files.metadata == "sidecar":
        raise UsageError("--metadata sidecar writes a file, so it cannot be combined with --output -.")
    target = target._replace(split=split, metadata=str(settings.metadata.value))
    return with_options(target, files)


def _absolute(name: str, path: str | Path) -> str:
    """A path in full, with the slash that ends a directory's. Raises `UsageError`."""
    from mjcli.settings.paths import expanded

    text = str(path)
    scheme, separator, _ = text.partition("://")
    if separator and len(scheme) > 1 and scheme.isalnum():  # one letter is a drive of Windows
        raise UsageError(f'{name} "{text}" is a URL; choose a path on this machine.')
    try:
        full = str(expanded(text))
        full.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f'{name} "{text}" is in a directory whose name is not UTF-8; choose another.'
        ) from None
    except ValueError as error:
        raise UsageError(f"{name} {error}.") from None
    return f"{full}/" if text.endswith(("/", os.sep)) else full


def with_options(target: Target, files: FileOptions) -> Target:
    """The target with --max-size and --metadata, where they are given. Raises `UsageError`."""
    if files.max_size is not None:
        from mjcli.media.names import parse_size

        target = target._replace(max_size=parse_size(files.max_size))
    if files.metadata is not None:
        target = target._replace(metadata=files.metadata)
    if target.metadata != "off":
        import mjcli.cli.provenance  # noqa: F401 - before a request is sent: see `preload`
    return target


def check_fixed_name(target: Target, *, force: bool) -> None:
    """Refuse a file name without placeholders that is in use, before anything is sent. Raises `NameInUse`."""
    from mjcli.media.names import check_free

    if target.fixed is not None and not force and not target.stdout:
        check_free(target, {}, count=1, extensions=_IMAGES)


def check_names(
    order: Order,
    target: Target,
    hide: Callable[[str], str],
    *,
    force: bool,
    split_images: bool | None = None,
) -> None:
    """Refuse names of a job's files that are in use, and directories that cannot be written, as far as known.

    `hide` masks the tokens in a text. Raises `NameInUse`, `ConfigError`.
    """
    from mjcli.media.names import check_free, fields_of, known_directory
    from mjcli.media.place import check_writable

    target = numbered_target(target, order.action)
    video = order.wanted == "video"
    check_one_image(target, several=video or bool(split_images))
    if target.stdout:
        return
    known = fields_of(prompt=hide(order.subject), image_id=None, task_id=None, action=order.action)
    fields = {name: known[name] for name in ("prompt", "action", "date")}
    directory = known_directory(target, fields)
    if directory != target.directory:  # which was checked already
        check_writable(target._replace(directory=directory, template="{ext}"))
    if force:
        return
    # Even where several are requested, it may be one.
    for count in (1, 4) if video or split_images else (1,):
        check_free(target, fields, count=count, extensions=_VIDEOS if video else _IMAGES)


def numbered_target(target: Target, action: str) -> Target:
    """The target of a job: an upscale of one image of a grid has that image's number in the names of its files."""
    from mjcli.api.actions import quadrant_of
    from mjcli.media.names import for_quadrant

    number = quadrant_of(action)
    return target if number is None else for_quadrant(target, number)


def names_jobs(target: Target) -> bool:
    """Whether the names of files contain what tells their jobs apart."""
    return "{image_id}" in target.template or "{task_id}" in target.template


def stored_target(job: Job) -> Target | None:
    """Where the files of a job were to go, as `target_record` stored it; None when none were requested."""
    stored = job.files_asked or {}
    directory, template = stored.get("directory"), stored.get("template")
    if not (isinstance(directory, str) and isinstance(template, str)):
        return None
    from mjcli.media.names import MAX_SIZE, Target

    limit = stored.get("max_size")
    size = limit if isinstance(limit, int) and limit > 0 else MAX_SIZE
    target = Target(Path(directory), template, split=bool(stored.get("split")), max_size=size)
    metadata = stored.get("metadata")
    return target._replace(metadata=metadata) if metadata in ("embed", "sidecar") else target


def target_record(target: Target | None, *, force: bool) -> dict[str, Any] | None:
    """A target as the ledger stores it; standard output is none, since `mj resume` never writes to that."""
    if target is None or target.stdout:
        return None
    from mjcli.media.names import MAX_SIZE

    record = {"directory": str(target.directory), "template": target.template, "force": force}
    if target.split:
        record["split"] = True
    if target.max_size != MAX_SIZE:
        record["max_size"] = target.max_size
    if target.metadata != "off":
        record["metadata"] = target.metadata
    return record


# -- finishing -------------------------------------------------------------------------------------


class PlacedFiles:
    """The files that were saved in this run, each with what names its job; several savers may share them."""

    def __init__(self) -> None:
        self.names: dict[Path, object] = {}
        #: Held while a job is saved whose files may replace those of another.
        self.replacing = RLock()


class Saver:
    """Finishes jobs: one way for a new job, a resumed one, a download, a task and a callback.

    `ledger` returns the ledger, which may raise `ConfigError`: the files count more than their record.
    `downloader` returns what fetches the files, so that jobs share its connections.
    """

    def __init__(
        self,
        output: Output,
        settings: Settings,
        lookup: Lookup,
        *,
        ledger: Callable[[], Ledger | None],
        downloader: Callable[[], Downloader],
        placed: PlacedFiles | None = None,
    ) -> None:
        self._output, self._settings, self._lookup = output, settings, lookup
        self._ledger, self._downloader = ledger, downloader
        self._placed = placed or PlacedFiles()

    @classmethod
    def of(cls, context: Context, lookup: Lookup, placed: PlacedFiles | None = None) -> Saver:
        """The saver of this run."""
        return cls(
            context.output,
            context.settings,
            lookup,
            ledger=lambda: context.existing_ledger,
            downloader=lambda: context.downloader,
            placed=placed,
        )

    def without_ledger(self) -> Saver:
        """This saver, for files that the ledger does not list."""
        mine = copy.copy(self)
        mine._ledger = lambda: None
        return mine

    def for_output(self, output: Output) -> Saver:
        """This saver, for a job that has an output of its own."""
        mine = copy.copy(self)
        mine._output = output
        return mine

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
        if target is not None and target.stdout:
            self._write_out(job, target)
            return []
        files, failures = self._save(job, target, force=force) if target is not None else ([], [])
        saved = [str(file.path) for file in files]
        due = len(failures) if requested or job.job is None else min(job.job.files_due, len(failures))
        finished = self._record(job, files, due)
        (show or self._show)(finished, saved, _missing(failures, job.task_id, retry) if failures else None)
        return saved

    def _write_out(self, job: FinishedJob, target: Target) -> None:
        """Write the one image of a job to standard output, whole or not at all."""
        import tempfile

        self._record(job, [], 0)
        links = job.result.links
        if len(links) != 1 or job.result.video_urls:
            failures = [DownloadError(f"it has {len(links)} files, and --output - writes one image")]
            self._output.failure(_missing(failures, job.task_id, command("download", job.reference)))
            return
        retry = command("download", job.reference, "-o", STDOUT)
        with tempfile.TemporaryDirectory(prefix="mj-", dir=target.directory) as directory:
            there = [Path(path) for path in job.files]
            target = target._replace(directory=Path(directory))
            saved, failures = ([], []) if there else self._save(job, target, force=False)
            if failures:
                self._output.failure(_missing(failures, job.task_id, retry))
            for path in there[:1] or [file.path for file in saved]:
                self._output.file(path)

    def report_kept(self, paths: Sequence[Path | str]) -> None:
        """Report files that existed already and were not downloaded again."""
        for path in paths:
            self._output.notice(f"Kept {path}, which already exists; --force downloads it again.")

    def _report(self, files: Sequence[Saved]) -> None:
        """Report what is unusual about saved files."""
        self.report_kept([file.path for file in files if file.kept])
        for notice in (each for file in files for each in file.notices):
            self._output.notice(notice)

    def _show(self, job: FinishedJob, saved: list[str], problem: DownloadError | None) -> None:
        print_result(self._output, job.result, saved, problem)

    def _record(self, job: FinishedJob, saved: Sequence[Saved], due: int) -> FinishedJob:
        """Record the files in the ledger; returns the job with the result as the ledger has it now."""
        try:
            return self._recorded(job, saved, due)
        except ConfigError:
            pass  # the files are there, whatever the ledger knows of them
        except Exception as error:  # a result that was paid for is printed whatever happens
            self._output.alarm(f"The files were not recorded: {type(error).__name__}: {error}")
        return job

    def _recorded(self, job: FinishedJob, saved: Sequence[Saved], due: int) -> FinishedJob:
        """The same. Raises `ConfigError`."""
        ledger = self._ledger()
        if ledger is None:
            return job
        uuid = job.uuid
        if job.record is not None:
            from mjcli.jobs.follow import record_task_result

            row = record_task_result(ledger, self._settings.host, job.record)
            uuid = row.uuid if row is not None else None
        if uuid is not None and saved:
            # A file that has other bytes now keeps its place among the others.
            digests = self._earlier_files(job, {str(file.path) for file in saved})
            for file in saved:
                path = str(file.path)
                digests[path] = file.sha256 or digests.get(path)
            received = {str(file.path): file.received_sha256 for file in saved if file.received_sha256}
            hashes = list(digests.values())
            ledger.set_files(uuid, list(digests), files_due=due, sha256=hashes, received=received)
        row = ledger.get(uuid) if uuid is not None else None
        if _is_earlier(job) and row is not None and row.result:
            from mjcli.api.models import Result

            return job._replace(result=Result(row.result))  # its links may be fresh
        return job

    def _earlier_files(self, job: FinishedJob, saved: Collection[str]) -> dict[str, str | None]:
        """The files that the job had before this run, without those that hold something else than what it saved."""
        from mjcli.media.download import is_unchanged

        return {
            path: digest
            for path, digest in self._own_files(job).items()
            if path in saved or digest is None or not Path(path).exists() or is_unchanged(Path(path), digest)
        }

    # -- files -------------------------------------------------------------------------------------

    def _save(self, job: FinishedJob, target: Target, *, force: bool) -> Fetched:
        """Download the files of a job; returns them, and what went wrong."""
        try:
            return self._downloaded(job, target, force=force)
        except MjError:
            raise
        except Exception as error:  # a result that was paid for is printed whatever happens
            return [], [DownloadError(unexpected(error).message)]

    def _downloaded(self, job: FinishedJob, target: Target, *, force: bool) -> Fetched:
        """The same, for errors that have a meaning."""
        # Jobs that may get the same name, and would replace each other's file, are saved one after the other.
        alone = force and not names_jobs(target)
        with self._placed.replacing if alone else contextlib.nullcontext():
            return self._fetched(job, target, force=force)

    def _fetched(self, job: FinishedJob, target: Target, *, force: bool) -> Fetched:
        from mjcli.media.download import OwnFiles
        from mjcli.media.place import sweep

        result = job.result
        if not result.file_urls:
            return [], []
        target = numbered_target(target, job.action)
        sweep(target.directory)  # partial files of an mj that was killed
        name = job.task_id or result.task_id or job
        # A copy, because other threads add to it.
        busy = [path for path, other in dict(self._placed.names).items() if other != name]
        own = OwnFiles(self._own_files(job), busy=busy, until=_forced_at(job), mixed=bool(result.video_urls))
        metadata = self._metadata(job, target, force=force)

        def fetch(urls: Sequence[str | None], links: Links, *, video: bool) -> Fetched:
            with FilesWatch(self._output, len(urls)) as progress:
                return self._downloader().save_all(
                    urls,
                    target,
                    job.name_fields(self._output.secret.hide),
                    own=own,
                    force=force,
                    video=video,
                    refresh=lambda: links(self._lookup.fresh_result(job.task_id or result.task_id)),
                    stale=lambda url: _is_earlier(job) and self._lookup.is_stale(url),
                    progress=progress,
                    metadata=metadata,
                )

        files, failures = fetch(result.links, lambda fresh: fresh.links, video=bool(result.video_urls))
        files += self._cover(result, target, fetch)
        if target.split and len(result.links) == len(files) == 1:
            files += self._quadrants(result, files[0].path, failures, own, metadata, force=force)
        self._report(files)
        self._placed.names.update({file.path: name for file in files if not file.kept})
        return files, failures

    def _metadata(self, job: FinishedJob, target: Target, *, force: bool) -> Metadata | None:
        """How the metadata of a job's images is saved; without it, they still are."""
        if target.metadata == "off":
            return None
        from mjcli.cli.provenance import metadata_of

        host, profile = self._settings.host, self._settings.profile.value
        options = {"host": host, "profile": profile, "hide": self._output.secret.hide, "force": force}
        try:
            with contextlib.suppress(ConfigError):
                return metadata_of(job, target, self._ledger(), **options)
            return metadata_of(job, target, None, **options)
        except Exception as error:
            self._output.warning(f"The metadata was not saved: {type(error).__name__}: {error}")
            return None

    def _own_files(self, job: FinishedJob) -> dict[str, str | None]:
        """The files that the ledger lists now as the job's, with their digests."""
        row = job.job
        with contextlib.suppress(ConfigError):
            ledger = self._ledger()
            task_id = job.task_id or job.result.task_id
            if ledger is not None and job.uuid is not None:
                row = ledger.get(job.uuid) or row
            elif ledger is not None and task_id is not None:
                row = ledger.by_task(self._settings.host, task_id)
        return digests_of(row) if row is not None else {}

    def _cover(self, result: Result, target: Target, fetch: Callable[..., Fetched]) -> list[Saved]:
        """The cover of videos; a missing one is only a warning, since the videos are what was paid for."""
        # A fixed name is meant for the videos.
        if not result.video_urls or result.image_link is None or target.fixed is not None:
            return []
        files, failures = fetch([result.image_link], lambda fresh: [fresh.image_link], video=False)
        for error in failures:
            self._output.warning(f"The cover of the videos is missing: {error.message}")
        return files

    def _quadrants(
        self,
        result: Result,
        grid: Path,
        failures: list[DownloadError],
        own: OwnFiles,
        metadata: Metadata | None,
        *,
        force: bool,
    ) -> list[Saved]:
        """The four images cut from a grid; what goes wrong is added to `failures`."""
        from mjcli.api.actions import modern
        from mjcli.media.grid import check_split, quadrants

        if "upscale1" not in map(modern, result.actions):
            self._output.notice(f"{grid} is a single image, so it is not split.")
            return []
        try:
            check_split()
            return quadrants(grid, force=force, own=own, metadata=metadata)
        except (DownloadError, UsageError) as error:
            failures.append(DownloadError(error.message, hint=error.hint))
            return []


def _forced_at(job: FinishedJob) -> float | None:
    """When a job that is resumed was started with --force, which was meant for the files of that moment."""
    row = job.job
    forced = row is not None and row.unfinished and row.files_asked and row.files_asked.get("force")
    return row.created_at if row is not None and forced else None


def _is_earlier(job: FinishedJob) -> bool:
    """Whether the links are those of an earlier run, so that they may have expired since."""
    return job.job is not None and job.job.state == "done"


def _missing(failures: Sequence[DownloadError], task_id: str | None, retry: str | None) -> DownloadError:
    """The files of a job that could not be saved, as one failure."""
    reasons = "; ".join(dict.fromkeys(without_stop(error.message) for error in failures))
    what = "a file is" if len(failures) == 1 else f"{len(failures)} files are"
    if retry and _SIZE_LIMIT in reasons:
        retry = _larger_limit(retry)
    return DownloadError(
        f"The job is done and billed once, but {what} missing: {reasons}.", task_id=task_id, hint=retry
    )


def _larger_limit(retry: str) -> str:
    """What to type where the size limit stopped a download: the same limit would stop it again."""
    lines = [with_note(f"{retry} --max-size SIZE", "a larger limit, such as 4G")]
    if retry.startswith("mj resume "):
        lines.append(with_note(f"{retry} --give-up", "leaves the file"))
    return "\n".join(lines)
