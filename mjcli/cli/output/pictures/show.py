"""Show a picture on a terminal, to stay there."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TextIO

from mjcli.cli.output.pictures.drawing import Drawn, draw, room_for
from mjcli.cli.output.pictures.query import ask
from mjcli.cli.output.pictures.support import OFF, Answer, Support, support
from mjcli.cli.output.sink import Output
from mjcli.cli.output.terminal import obeys_escapes, terminal_size
from mjcli.media.fetch import fetch_image
from mjcli.media.pixels import Decoder, PictureError
from mjcli.media.web import GuardedGet, WebError

SECONDS = 10.0  # for a picture behind a link
TEXT_LINES = 4  # of the terminal, for what is below a picture
RESULT_LINES = 10  # the same, below that of a job


def support_of(output: Output, stream: TextIO, choice: str) -> Support:
    """How the terminal behind `stream` shows pictures; off if it is none."""
    if not obeys_escapes(stream, output.environ):
        return OFF
    live = output.live

    def query() -> Answer | None:
        # A question must not end up within a frame.
        alone = live.unchanged if live is not None else contextlib.nullcontext
        return ask(output.stdin, stream, output.environ, alone)

    return support(
        choice,
        output.environ,
        colour=output.colours(stream),
        unicode=(stream.encoding or "").lower().replace("-", "") == "utf8",
        query=query,
    )


def drawn_on(
    output: Output,
    stream: TextIO,
    how: Support,
    picture: bytes | Path,
    *,
    quadrant: int | None = None,
    reserved: int = TEXT_LINES,
) -> Drawn | None:
    """A picture for the terminal behind `stream`, None without room beside `reserved` lines. Raises `PictureError`."""
    room = room_for(*terminal_size(stream, output.environ), stream, reserved=reserved)
    if how.method == "off" or not room.is_enough:
        return None
    with Decoder(output.child_environ) as decoder:
        return draw(picture, room, how, decoder, quadrant=quadrant)


def fetched(url: str, *, allow_private: bool, use_environment: bool) -> bytes:
    """The picture behind a link. Raises `PictureError`."""
    web = GuardedGet(allow_private=allow_private, use_environment=use_environment)
    try:
        return fetch_image(web, url, seconds=SECONDS)
    except WebError as error:
        raise PictureError(error.problem) from error
    finally:
        web.close()
