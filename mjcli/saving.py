"""The files of a job: where they go, how the ledger keeps that, and how they are saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mjcli.errors import DownloadError, UsageError
from mjcli.render.watch import FilesWatch

if TYPE_CHECKING:
    from pathlib import Path

    from mjcli.api.models import Result
    from mjcli.context import Runtime
    from mjcli.downloads import Saved
    from mjcli.filenames import Target
    from mjcli.ledger import Job
    from mjcli.options import FileOptions


def file_target(runtime: Runtime, files: FileOptions) -> Target | None:
    """Where files go, None when none were asked for. Raises before anything is paid for (exit 2)."""
    settings = runtime.settings
    wanted = files.download
    if files.split and wanted is False:
        raise UsageError("--split cuts what is downloaded, so it contradicts --no-download.")
    if wanted is None:
        wanted = bool(settings.download.value) or files.output is not None or files.split
    if not wanted:
        return None
    from mjcli.filenames import check_writable, parse_target

    target = parse_target(files.output, settings.output.value or ".")
    check_writable(target, force=files.force)
    return cut_too(target, files.split)


def cut_too(target: Target, split: bool) -> Target:
    """The target with grids to be cut as --split says. Raises `UsageError` where they cannot be."""
    if split:
        from mjcli.grids import check_pillow

        check_pillow()
    return target._replace(split=split)


def asked_of(target: Target | None, *, force: bool) -> dict[str, Any] | None:
    """How files are asked for, as the ledger keeps it; `target_asked` reads it."""
    if target is None:
        return None
    asked = {"directory": str(target.directory), "template": target.template, "force": force}
    return {**asked, "split": True} if target.split else asked


def target_asked(job: Job) -> Target | None:
    """Where the files of a job of the ledger were to go, None when none were asked for."""
    if job.files_asked is None:
        return None
    from pathlib import Path

    from mjcli.filenames import Target

    asked = job.files_asked
    return Target(Path(asked["directory"]), asked["template"], split=bool(asked.get("split")))


def save_files(
    runtime: Runtime,
    result: Result,
    target: Target,
    fields: Mapping[str, str],
    *,
    force: bool,
    earlier: bool = False,
    task_id: str | None = None,
) -> tuple[list[str], list[DownloadError]]:
    """Download what a result has; gives the absolute paths and what went wrong.

    `earlier` says that the result is that of an earlier run: a link that has expired since is not tried
    before a fresh one was asked for. `task_id` is its task, where the result itself may not tell.
    """
    from mjcli.downloads import Downloader, sweep
    from mjcli.pictures import fresh_result, is_stale, say_kept

    urls = result.file_urls
    if not urls:
        return [], []
    sweep(target.directory)  # of what an `mj` left there that was killed on the way
    with Downloader(
        allow_private=runtime.on_this_machine, use_environment=not runtime.settings.sandbox.value
    ) as fetch:

        def save(links: Sequence[str], fresh: Links) -> tuple[list[Saved], list[DownloadError]]:
            labels = [
                f"file {n}/{len(links)}" if len(links) > 1 else "file" for n in range(1, len(links) + 1)
            ]
            with FilesWatch(runtime.output, labels) as progress:
                return fetch.save_all(
                    links,
                    target,
                    fields,
                    force=force,
                    refresh=lambda: fresh(fresh_result(runtime, task_id or result.task_id)),
                    stale=lambda url: earlier and is_stale(runtime, url),
                    progress=progress,
                )

        saved, failures = save(urls, lambda anew: anew.file_urls)
        saved += _cover(runtime, result, target, save)
    say_kept(runtime, [file.path for file in saved if file.kept])
    paths = [file.path for file in saved]
    if target.split and len(urls) == len(paths) == 1:
        paths += _cut(runtime, result, paths[0], failures, force=force)
    return [str(path) for path in paths], failures


Links = Callable[["Result"], Sequence[str]]
Save = Callable[[Sequence[str], Links], tuple[list["Saved"], list[DownloadError]]]


def _cover(runtime: Runtime, result: Result, target: Target, save: Save) -> list[Saved]:
    """The cover of videos, which is worth a warning where it is missing: what was paid for are the videos."""
    # A name without placeholders says what the videos are to be called.
    if not result.video_urls or result.picture_url is None or target.fixed is not None:
        return []
    saved, failures = save([result.picture_url], lambda anew: [anew.picture_url or ""])
    for error in failures:
        runtime.output.warning(f"The cover of the videos is missing: {error.message}")
    return saved


def _cut(
    runtime: Runtime,
    result: Result,
    picture: Path,
    failures: list[DownloadError],
    *,
    force: bool,
) -> list[Path]:
    """The four pictures of a grid, cut out of it; what goes wrong is added to the failures."""
    from mjcli.actions import modern

    if "upscale1" not in map(modern, result.actions):
        runtime.output.notice(f"{picture} is one picture, no grid, so it is not cut.")
        return []
    from mjcli.grids import check_pillow, quadrants
    from mjcli.pictures import say_kept

    try:
        check_pillow()
        parts = quadrants(picture, force=force)
    except (DownloadError, UsageError) as error:
        failures.append(DownloadError(error.message, hint=error.hint))
        return []
    say_kept(runtime, [part.path for part in parts if part.kept])
    return [part.path for part in parts]


def files_missing(failures: Sequence[DownloadError], task_id: str | None, hint: str | None) -> DownloadError:
    """The files of a job that could not be saved, as one failure."""
    sentence = " ".join(dict.fromkeys(error.message for error in failures))
    what = "a file is" if len(failures) == 1 else f"{len(failures)} files are"
    return DownloadError(
        f"The job is done and billed, once; {what} missing: {sentence}", task_id=task_id, hint=hint
    )
