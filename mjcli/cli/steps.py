"""Keep the intermediate pictures of a job, which the service deletes when it ends, and animate them."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from mjcli.errors import ConfigError, DownloadError, reason_of
from mjcli.media.formats import HEAD, extension_for
from mjcli.media.names import fields_of, name_for, step_of, timelapse_of
from mjcli.media.pixels import Decoder, PictureError
from mjcli.media.place import place

if TYPE_CHECKING:
    from mjcli.cli.finished import FinishedJob
    from mjcli.cli.output.pictures.preview import Preview
    from mjcli.cli.output.sink import Output
    from mjcli.jobs.ledger import Ledger
    from mjcli.jobs.order import Order
    from mjcli.media.names import Target

Timelapse = Literal["webp", "gif"]


class Kept(NamedTuple):
    """The files of the steps, and their animation, if they were kept and made."""

    steps: list[Path]
    timelapse: Path | None


class Steps:
    """The intermediate pictures of one job; they are saved as they arrive, under the name of its task.

    At the end they get the name of the final picture. `keep` leaves them; without it they are only animated.
    """

    def __init__(
        self, output: Output, order: Order, target: Target, *, keep: bool, timelapse: Timelapse | None
    ) -> None:
        self._output, self._order, self._target = output, order, target
        self._keep, self._timelapse = keep, timelapse
        self._temporary = None if keep else tempfile.TemporaryDirectory(prefix="mj-steps-")
        self._steps: list[Path] = []
        self._digest = ""
        #: What brings the pictures.
        self.preview: Preview | None = None

    def add(self, data: bytes, task_id: str | None) -> None:
        """Save a picture, unless it is the same as the one before."""
        digest = hashlib.sha256(data).hexdigest()
        if digest == self._digest:
            return
        self._digest = digest
        hide = self._output.secret.hide
        fields = fields_of(
            prompt=hide(self._order.subject),
            image_id=None,
            task_id=hide(task_id or ""),
            action=hide(self._order.action),
        )
        target = self._target
        if self._temporary is not None:
            target = target._replace(directory=Path(self._temporary.name), template="step.{ext}")
        extension = extension_for(data[:HEAD], "", "")
        final = name_for(target, fields, ext=extension, index=1, count=1)
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            name = step_of(final, len(self._steps) + 1, extension)
            self._steps.append(place(data, name, force=False).path)
        except (DownloadError, OSError) as error:
            reason = error.message if isinstance(error, DownloadError) else reason_of(error)
            self._output.detail(f"An intermediate picture could not be saved: {reason}")

    def finish(self, job: FinishedJob, saved: Sequence[str], ledger: Ledger | None) -> Kept:
        """Give the pictures the name of the final one, animate them with it, and record them."""
        if self.preview is not None:
            self.preview.wait()
        steps = list(self._steps)
        if not steps:
            self._output.notice("The job showed no intermediate pictures that could be saved.")
            return Kept([], None)
        fields = job.name_fields(self._output.secret.hide)
        final = (
            Path(saved[0])
            if len(saved) == 1
            else name_for(self._target, fields, ext=steps[-1].suffix[1:], index=1, count=1)
        )
        if self._keep:
            steps = [self._renamed(step, final, number) for number, step in enumerate(steps, start=1)]
        made = self._animated(steps, final, saved)
        if self._temporary is not None:
            self._temporary.cleanup()
            steps = []
        _record(ledger, job, steps)
        return Kept(steps, made)

    def _renamed(self, step: Path, final: Path, number: int) -> Path:
        """A step under its last name; it keeps its first one if that is impossible."""
        name = step_of(final, number, step.suffix[1:])
        if name == step:
            return step
        try:
            moved = place(step.read_bytes(), name, force=False).path
            if moved != step:  # its own numbered name, if another file has the name
                step.unlink()
        except (DownloadError, OSError) as error:
            self._output.detail(f'"{step}" keeps its name: {error}')
            return step
        return moved

    def _animated(self, steps: Sequence[Path], final: Path, saved: Sequence[str]) -> Path | None:
        """The animation; None if it was not requested, or failed."""
        if self._timelapse is None:
            return None
        pictures = [*steps, *(Path(each) for each in saved[:1])]
        environ = self._output.child_environ
        try:
            with Decoder(environ) as decoder:
                data = decoder.animation(pictures, self._timelapse)
            return place(data, timelapse_of(final, self._timelapse), force=False).path
        except PictureError as error:
            self._output.warning(f"The time lapse was not made: it {error}.")
        except DownloadError as error:
            self._output.warning(f"The time lapse was not saved: {error.message}")
        return None


def _record(ledger: Ledger | None, job: FinishedJob, steps: Sequence[Path]) -> None:
    """Note in the ledger which files are steps."""
    if ledger is None or job.uuid is None or not steps:
        return
    try:
        ledger.set_steps(job.uuid, [str(each) for each in steps])
    except ConfigError:
        pass  # the files are there
