"""The pictures of a command's jobs: shown while they run and at their end, and kept as files."""

from __future__ import annotations

import copy
from _thread import RLock
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mjcli.cli.output.terminal import obeys_escapes
from mjcli.errors import UsageError

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.cli.finished import FinishedJob
    from mjcli.cli.options import FileOptions, WaitOptions
    from mjcli.cli.output.live import Live
    from mjcli.cli.output.pictures.preview import Preview
    from mjcli.cli.output.pictures.support import Support
    from mjcli.cli.output.sink import Output
    from mjcli.cli.steps import Kept, Steps
    from mjcli.jobs.ledger import Ledger
    from mjcli.jobs.order import Order
    from mjcli.media.names import Target
    from mjcli.settings.load import Settings

NewPreview = Callable[["Live | None"], "Preview | None"]


def keeps_steps(wait: WaitOptions) -> bool:
    """Whether the intermediate pictures are fetched to be kept, in some form."""
    return wait.keep_steps or wait.timelapse is not None


def check_steps(wait: WaitOptions) -> None:
    """Refuse options without which there are no intermediate pictures. Raises `UsageError`."""
    name = "--keep-steps" if wait.keep_steps else "--timelapse"
    without = {
        "--no-stream": wait.stream is False,
        "--no-wait": wait.no_wait,
        "--callback-url": wait.callback_url is not None,
        "--listen": wait.listen,
    }
    for other in (option for option, given in without.items() if given):
        raise UsageError(f"{name} needs the stream of the job, so it cannot be combined with {other}.")
    if wait.timelapse is not None:
        from mjcli.media.pixels import check_pillow

        check_pillow("--timelapse")


def with_download(files: FileOptions, wait: WaitOptions) -> FileOptions:
    """The options of the files, of which the final one is saved beside the steps. Raises `UsageError`."""
    if not keeps_steps(wait):
        return files
    name = "--keep-steps" if wait.keep_steps else "--timelapse"
    if files.download is False:
        raise UsageError(f"{name} saves files, so it cannot be combined with --no-download.")
    if files.output == "-":
        raise UsageError(f"{name} saves files, so it cannot be combined with --output -.")
    return files._replace(download=True)


class JobPictures:
    """Shows and keeps the pictures of jobs, as the options and the settings say."""

    def __init__(self, output: Output, settings: Settings, wait: WaitOptions) -> None:
        self._output, self._settings, self._wait = output, settings, wait
        self._choice: str = wait.preview or settings.preview.value
        self._support: list[Support] = []  # how the terminal shows pictures, once that is known
        self._lock = RLock()

    def for_output(self, output: Output) -> JobPictures:
        """The same, for a job that has an output of its own."""
        mine = copy.copy(self)
        mine._output = output
        return mine

    def _how(self) -> Support:
        """How the terminal shows pictures; it may be asked that, once."""
        from mjcli.cli.output.pictures.show import support_of

        with self._lock:
            if not self._support:
                self._support.append(support_of(self._output, self._output.stderr, self._choice))
        return self._support[0]

    @property
    def _shows(self) -> bool:
        """Whether a person may see pictures: not in output for scripts, unless they were requested."""
        output = self._output
        if self._choice == "off" or output.mode.quiet or (output.json and self._wait.preview is None):
            return False
        return obeys_escapes(output.stderr, output.environ)

    def steps(self, order: Order, target: Target | None) -> Steps | None:
        """What keeps the intermediate pictures of a job, if that was requested. Call it before the job is sent."""
        if not keeps_steps(self._wait) or target is None:
            return None
        import mjcli.cli.output.pictures.preview  # noqa: F401 - before a job, as in `save.preload`
        from mjcli.cli.save import numbered_target
        from mjcli.cli.steps import Steps

        target = numbered_target(target, order.action)
        return Steps(self._output, order, target, keep=self._wait.keep_steps, timelapse=self._wait.timelapse)

    def previewer(self, order: Order, steps: Steps | None) -> NewPreview:
        """What makes the preview of a job, given its bar."""

        def new(live: Live | None) -> Preview | None:
            shown = live if self._shows else None
            if not order.stream or (shown is None and steps is None):
                return None
            try:
                from mjcli.cli.output.pictures.preview import Preview
            except ImportError:  # the program was replaced since; the job matters, not its preview
                return None
            preview = Preview(
                self._output,
                shown,
                self._how,
                explains=self._choice != "auto",
                **_network(self._settings),
                keep=steps.add if steps is not None else None,
            )
            if steps is not None:
                steps.preview = preview
            return preview

        return new

    def finish(
        self, job: FinishedJob, saved: Sequence[str], steps: Steps | None, ledger: Callable[[], Ledger] | None
    ) -> tuple[list[tuple[str, str]], dict[str, Any]]:
        """Name the steps, and show the final picture; returns lines and fields for the result."""
        lines: list[tuple[str, str]] = []
        fields: dict[str, Any] = {}
        if steps is not None:
            try:
                kept = steps.finish(job, saved, ledger() if ledger is not None else None)
            except Exception as error:  # the result is printed whatever happens
                self._output.warning(f"The steps were not kept: {type(error).__name__}: {error}")
            else:
                lines, fields = _described(kept, terminal=self._output.stdout_is_terminal)
        if self._shows and not job.result.texts:
            self._show(job.result, saved)
        return lines, fields

    def _show(self, result: Result, saved: Sequence[str]) -> None:
        """Show the final picture, which must not keep the result from being printed."""
        output = self._output
        try:
            from mjcli.cli.output.pictures.show import RESULT_LINES, drawn_on, fetched
            from mjcli.media.pixels import PictureError, PillowMissing
        except ImportError:  # as above
            return
        try:
            how = self._how()
            if how.method == "off":
                return
            picture = picture_of(result, saved, lambda url: fetched(url, **_network(self._settings)))
            if picture is None:
                return
            drawn = drawn_on(output, output.stderr, how, picture, reserved=RESULT_LINES)
            if drawn is not None:
                output.picture(drawn.placed)
        except PillowMissing as error:
            if self._choice != "auto":
                output.notice(f"The preview {error}")
        except PictureError as error:
            output.detail(f"The picture {error}.")
        except Exception as error:
            output.detail(f"The picture could not be shown: {type(error).__name__}: {error}")


class StillPictures:
    """Draws pictures on standard output, as results. `preview` is that of the options."""

    def __init__(self, output: Output, settings: Settings, preview: str | None) -> None:
        self._output = output
        self._choice: str = preview or settings.preview.value
        self._network = _network(settings)

    @cached_property
    def _how(self) -> Support | None:
        output = self._output
        if output.json or output.mode.quiet or not output.stdout_is_terminal or self._choice == "off":
            return None
        from mjcli.cli.output.pictures.show import support_of

        how = support_of(output, output.stdout, self._choice)
        return None if how.method == "off" else how

    @property
    def is_on(self) -> bool:
        """Whether a person sees what is drawn."""
        return self._how is not None

    def explain_off(self) -> None:
        """Say on a terminal why nothing is drawn, if pictures are on."""
        output = self._output
        scripts = output.json or output.mode.quiet or not output.stdout_is_terminal
        if scripts or self._choice == "off" or self.is_on:
            return
        output.notice("This terminal is not known to show images or colours; --preview selects a method.")

    def fetch(self, url: str) -> bytes:
        """The picture behind a link. Raises `PictureError`."""
        from mjcli.cli.output.pictures.show import fetched

        return fetched(url, **self._network)

    def draw(self, picture: bytes | Path, quadrant: int | None = None) -> None:
        """Draw a picture, or a quadrant of it. Raises `PictureError`."""
        from mjcli.cli.output.pictures.show import drawn_on

        output = self._output
        if self._how is not None:
            drawn = drawn_on(output, output.stdout, self._how, picture, quadrant=quadrant)
            if drawn is not None:
                output.picture_result(drawn.placed)


def _network(settings: Settings) -> dict[str, bool]:
    """How links are fetched."""
    return {"allow_private": settings.api_is_local, "use_environment": not settings.sandbox.value}


def _described(kept: Kept, *, terminal: bool) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """The files beside the final one, for people and for scripts; a terminal names the first and last step."""
    steps = [str(each) for each in kept.steps]
    lines = [("step", each) for each in steps]
    if terminal and len(steps) > 2:
        lines = [("steps", f"{steps[0]} to {kept.steps[-1].name}")]
    fields: dict[str, Any] = {"steps": steps}
    if kept.timelapse is not None:
        lines.append(("timelapse", str(kept.timelapse)))
        fields["timelapse"] = str(kept.timelapse)
    return lines, fields


def picture_of(result: Result, saved: Sequence[str], fetch: Callable[[str], bytes]) -> bytes | Path | None:
    """The picture of a result: the first saved one, else the small one behind a link, as `fetch` brings it."""
    from mjcli.api.models import text_of
    from mjcli.media.formats import is_video

    files = [path for path in map(Path, saved) if is_video(path) is False]
    if files:
        return files[0]
    url = text_of(result.document.get("image_url")) or result.image_link or next(iter(result.file_urls), None)
    return fetch(url) if url is not None else None
