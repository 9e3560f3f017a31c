"""The pictures of a job while it runs: fetched, shown above its bar, and kept, in a thread of their own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from mjcli.api.models import text_of
from mjcli.cli.output.live import INDENT
from mjcli.cli.output.pictures.drawing import Drawn, draw, room_for
from mjcli.cli.output.pictures.support import Support
from mjcli.cli.signals import undisturbed
from mjcli.media.fetch import fetch_image
from mjcli.media.links import without_signature
from mjcli.media.pixels import Decoder, PictureError, PillowMissing
from mjcli.media.web import GuardedGet, WebError

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.cli.output.live import Live
    from mjcli.cli.output.sink import Output

SECONDS = 30.0  # for one picture
LAST_SECONDS = 15.0  # at the end, for pictures that are to be kept
BAR_LINES = 2  # of the terminal, for the bar and what is typed

Keep = Callable[[bytes, "str | None"], None]


class _Step(NamedTuple):
    """A picture to fetch, and the task of its job."""

    url: str
    task_id: str | None


class Preview:
    """Shows each intermediate picture of a job above its bar, and passes it to `keep`; failures are details.

    Nothing here raises, and only `wait` waits. `how` returns how the terminal shows pictures, and `keep` takes each
    picture and the task of its job; both are called in the thread of the downloads. `explains` says that a person
    asked for a preview, and wants to know why there is none.
    """

    def __init__(
        self,
        output: Output,
        live: Live | None,
        how: Callable[[], Support],
        *,
        explains: bool,
        allow_private: bool,
        use_environment: bool,
        keep: Keep | None = None,
    ) -> None:
        self._output, self._live, self._keep = output, live, keep
        self._new_support, self._explains = how, explains
        self._web = GuardedGet(allow_private=allow_private, use_environment=use_environment)
        self._decoder = Decoder(output.child_environ)
        self._waiting: deque[_Step] = deque(maxlen=None if keep is not None else 1)
        self._seen: set[str] = set()
        self._changed = threading.Condition()
        self._closing = False
        self._data: bytes | None = None  # of the newest picture
        self._drawn: Drawn | None = None
        self._is_new = False  # whether that one has not been drawn
        self._drawn_for, self._wanted = (0, 0), (0, 0)  # columns and lines of the terminal
        self._how: Support | None = None
        self._is_shown = False
        with undisturbed():
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        if live is not None:
            live.pictures = self

    def event(self, event: Result) -> None:
        """Take the picture of an event."""
        document = event.document
        # The small one is enough to show, but what is kept is the best there is.
        small = None if self._keep is not None else text_of(document.get("image_url"))
        url = small or event.image_link
        if url is None or event.texts or event.video_urls:
            return
        with self._changed:
            if without_signature(url) not in self._seen:
                self._seen.add(without_signature(url))
                self._waiting.append(_Step(url, event.task_id))
                self._changed.notify()

    def picture(self, columns: int, lines: int) -> Drawn | None:
        """The newest picture for a terminal of this size, None until it is drawn."""
        with self._changed:
            if (columns, lines) != self._wanted:
                self._wanted = columns, lines
                self._changed.notify()
            return self._drawn if self._drawn_for == self._wanted else None

    def end(self, *, hurry: bool) -> None:
        """Stop showing. Pictures that are to be kept are still fetched, but not in a hurry."""
        with self._changed:
            self._closing = True
            if self._keep is None or hurry:
                self._waiting.clear()
                self._web.stop()
            self._changed.notify()

    def wait(self) -> None:
        """Wait for the pictures that are to be kept, for a while; the service deletes them when the job ends."""
        self._thread.join(LAST_SECONDS)
        self._web.stop()

    # -- the thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # a preview must not harm its job
            self._detail(f"{type(error).__name__}: {error}")
        finally:
            self._web.close()
            self._decoder.close()

    def _work(self) -> None:
        if self._live is not None:
            self._how = self._new_support()
        self._is_shown = self._how is not None and self._how.method != "off"
        while self._is_shown or self._keep is not None:
            with self._changed:
                self._changed.wait_for(self._is_due)
                step = self._waiting.popleft() if self._waiting else None
                if step is None and self._closing:
                    return
            if step is not None:
                self._fetch(step)
            if self._is_shown and self._data is not None and not self._closing:
                self._draw(self._data)

    def _is_due(self) -> bool:
        resized = self._data is not None and self._drawn_for != self._wanted
        return bool(self._waiting or self._closing or (resized and self._is_shown))

    def _fetch(self, step: _Step) -> None:
        try:
            data = fetch_image(self._web, step.url, seconds=SECONDS)
        except WebError as error:
            self._detail(error.problem)
            return
        self._data, self._is_new = data, True
        if self._keep is not None:
            self._keep(data, step.task_id)

    def _draw(self, data: bytes) -> None:
        """Draw a picture for the terminal as it is, unless that was done."""
        assert self._live is not None
        assert self._how is not None
        with self._changed:
            size = self._wanted
        if size == self._drawn_for and not self._is_new:
            return
        room = room_for(size[0] - INDENT, size[1], self._output.stderr, reserved=BAR_LINES)
        drawn, self._is_new = None, False
        try:
            if room.is_enough:
                drawn = draw(data, room, self._how, self._decoder)
        except PillowMissing as error:
            self._explain_missing(error)
        except PictureError as error:
            self._detail(str(error))
        with self._changed:
            if drawn is not None or size != self._drawn_for:
                self._drawn = drawn
            self._drawn_for = size
        self._live.draw()

    def _explain_missing(self, error: PillowMissing) -> None:
        """Say what to install, to a person who asked for a preview; a terminal may show other pictures without."""
        assert self._how is not None
        if self._how.method in ("blocks", "sixel"):
            self._is_shown = False
        if self._explains:
            self._explains = False
            self._output.notice(f"The preview {error}")
        self._detail(str(error))

    def _detail(self, problem: str) -> None:
        self._output.detail(f"An intermediate picture {problem}.")
