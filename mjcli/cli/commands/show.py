"""`mj show`: show images in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from mjcli.cli.options import PreviewOption
from mjcli.cli.parser import MjCommand, new_app
from mjcli.errors import DownloadError, MjError, UsageError

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.finished import FinishedJob
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.pictures import StillPictures

app = new_app()


class _Shown(NamedTuple):
    """What a name means: a file of this machine or a link, of a job or not; `part` is the quadrant to cut out."""

    name: str
    file: str | None
    link: str | None
    part: int | None = None
    task_id: str | None = None
    image_id: str | None = None


@app.command(
    "show",
    cls=MjCommand,
    epilog="""# The newest image
mj show
# The top right image of the newest grid
mj show @last --quadrant 2
# Any files
mj show cats/*.png
# As text, where a terminal does not say what it can show
mj show @2 --preview blocks""",
)
def show(
    ctx: typer.Context,
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE",
            help="Id, id prefix, @2, file or link (default @last; - reads standard input).",
            show_default=False,
        ),
    ] = None,
    *,
    quadrant: Annotated[
        int | None,
        typer.Option(
            "--quadrant",
            "-n",
            min=1,
            max=4,
            metavar="N",
            help="Only one image of a grid: 1 is top left, 4 is bottom right.",
        ),
    ] = None,
    preview: PreviewOption = None,
) -> None:
    """Show images in the terminal: saved files, else what their links lead to.

    Kitty's and iTerm2's protocols, Sixel and coloured half blocks are supported; auto selects what the terminal is
    known to show. Without a terminal, and with --json, --field or --quiet, the path or link is printed.

    The extra "images" (Pillow) is needed, except for PNG files with Kitty's and iTerm2's protocols.
    """
    from mjcli.cli.inputs import expand
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.pictures import StillPictures

    context: Context = ctx.obj
    output, lookup = context.output, Lookup.of(context)
    output.check_field(ctx.command_path)
    names = expand(context.streams.stdin, images or ["@last"], "image")
    # All are looked up first, as by `mj download`.
    found = [_found(context, lookup, each, quadrant) for each in names]
    still = StillPictures(output, context.settings, preview)
    still.explain_off()
    for each in found:
        try:
            _show(context, each, quadrant, still)
        except MjError as error:
            if len(found) == 1:
                raise
            output.failure(error)


def _show(context: Context, shown: _Shown, quadrant: int | None, still: StillPictures) -> None:
    """Draw one image, if the terminal can, and print where it is."""
    from mjcli.media.pixels import PictureError, PillowMissing

    problem: PictureError | None = None
    if still.is_on:
        try:
            still.draw(
                Path(shown.file) if shown.file is not None else still.fetch(shown.link or ""), shown.part
            )
        except PictureError as error:
            problem = error
    place = shown.file or shown.link or ""
    document: dict[str, Any] = {
        "file": shown.file,
        "link": shown.link,
        "task_id": shown.task_id,
        "image_id": shown.image_id,
        "quadrant": quadrant,
    }
    context.output.answer(document, [("file" if shown.file else "link", place)], [place])
    if isinstance(problem, PillowMissing):
        context.output.notice(f'"{shown.name}" {problem}')
    elif problem is not None:
        raise (UsageError if shown.file is not None else DownloadError)(f'"{shown.name}" {problem}.')


def _found(context: Context, lookup: Lookup, name: str, quadrant: int | None) -> _Shown:
    """What a name means. Raises `UsageError`, and as `Lookup.finished` does."""
    from mjcli.cli.inputs import is_regular_file
    from mjcli.prompt.parse import is_link

    if is_link(name):
        return _Shown(name, None, name, quadrant)
    if is_regular_file(name):
        job = lookup.saved_file(name)
        if quadrant is not None and job is not None and job.makes == "image":
            _check_grid(name, lookup.finished(job), Path(name))
        ids = (job.task_id, job.image_id) if job is not None else (None, None)
        return _Shown(name, str(Path(name).absolute()), None, quadrant, *ids)
    found = lookup.finished(lookup.with_files(name))
    index, part = _selected(name, found, quadrant)
    files = [each for each in found.files if not _is_video(each)]
    file = files[index] if index < len(files) else None
    link = None if file is not None else _link(lookup, found, index)
    return _Shown(name, file, link, part, found.task_id, found.result.image_id)


def _selected(name: str, job: FinishedJob, quadrant: int | None) -> tuple[int, int | None]:
    """Which file of a job is shown, and which part of it. Raises `UsageError`."""
    if quadrant is None:
        return 0, None
    if len(job.result.links) == 4 and not job.result.video_urls:  # of --split-images
        return quadrant - 1, None
    _check_grid(name, job)
    return 0, quadrant


def _check_grid(name: str, job: FinishedJob, file: Path | None = None) -> None:
    """Refuse a quadrant of what is no grid, also of an image that was cut from one. Raises `UsageError`."""
    from mjcli.api.actions import modern

    is_whole = file is None or not job.files or str(file.absolute()) == job.files[0]
    if "upscale1" not in map(modern, job.result.actions) or not is_whole:
        raise UsageError(f'"{name}" is a single image, so it has no quadrants.')


def _is_video(path: str) -> bool:
    from mjcli.media.formats import is_video

    return is_video(Path(path)) is not False


def _link(lookup: Lookup, job: FinishedJob, index: int) -> str:
    """The link of an image, refreshed when it has expired; of videos, that of their cover."""
    from mjcli.api.models import text_of

    result = job.result
    if job.job is not None and lookup.is_stale(job.link):
        result = lookup.fresh_result(job.task_id)
    several = len(result.links) == 4 and not result.video_urls
    link = result.links[index] if several else result.image_link
    if link is None:
        link = text_of(result.document.get("image_url"))
    if link is None:
        raise DownloadError("The result has no image to show.", task_id=job.task_id)
    return link
