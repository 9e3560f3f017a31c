"""Pictures as pixels, thumbnails and animations: decoded by Pillow in processes of their own.

So a picture that is a bomb, or crashes a decoder, costs a bounded time and memory and never the job that it
belongs to; a large picture does not hold up the stream, whose thread would wait for the decoder; and many pictures
are decoded on all processors.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mjcli.errors import UsageError, reason_of
from mjcli.media.pixel_worker import MAX_BYTES

SECONDS = 6.0  # for one picture; its decoder has less of CPU, but may have to wait for it
ANIMATION_SECONDS = 60.0
_ANIMATION_CPU = 40.0
_WORKER = Path(__file__).with_name("pixel_worker.py")
INSTALL = 'pip install "mjcli[images]"'

Form = Literal["png", "rgb", "palette"]


class PictureError(Exception):
    """A picture that cannot be shown; the message is the end of a sentence about it.

    `lasts` says that it is the picture's fault, so that another attempt would fail too.
    """

    lasts = True


class _Stopped(PictureError):
    """The decoder ended for a reason that may be another one next time."""

    lasts = False


class PillowMissing(PictureError):
    """Pillow is not installed."""

    lasts = False

    def __init__(self) -> None:
        super().__init__(f"needs Pillow to be shown, which is not installed: {INSTALL}")


def check_pillow(what: str, *, or_else: str = "") -> None:
    """Raise `UsageError` when Pillow, which `what` needs, is not installed; call it before paying for a job.

    `or_else` is a hint about what works without it.
    """
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        hints = [INSTALL, "if it was installed with pipx: pipx inject mjcli pillow", or_else]
        raise UsageError(
            f"{what} needs Pillow, which is not installed.", hint="\n".join(filter(None, hints))
        ) from None


class Pixels(NamedTuple):
    """A scaled picture: a PNG file, three bytes for each pixel, or the number of a colour for each pixel.

    `palette` has three bytes for each colour.
    """

    width: int
    height: int
    data: bytes
    palette: bytes = b""


class Decoder:
    """A process that decodes one picture after another, for one thread at a time.

    It is started when it is needed, and again after it ended; `environ` is its environment.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with process:
                pass

    def scaled(
        self,
        picture: bytes | Path,
        box: tuple[int, int],
        form: Form,
        *,
        quadrant: int | None = None,
        colours: int = 256,
        ground: str = "black",
        enlarges: bool = True,
    ) -> Pixels:
        """A picture, or a quadrant of it (1 to 4), in the largest size that fits into a box of pixels.

        `ground` is the colour below what is transparent, and without `enlarges` no picture becomes larger. Raises
        `PictureError`.
        """
        request = {
            "as": form,
            "width": box[0],
            "height": box[1],
            "quadrant": quadrant,
            "colours": colours,
            "ground": ground,
            "enlarges": enlarges,
        }
        header, data = self._ask(picture, request, SECONDS)
        count = int(header.get("palette", 0))
        return Pixels(int(header["width"]), int(header["height"]), data[count:], data[:count])

    def thumbnail(self, picture: Path, box: tuple[int, int], quality: int) -> bytes:
        """A WebP file of a picture, as large as fits into a box of pixels, but not enlarged. Raises `PictureError`."""
        request = {"as": "thumbnail", "width": box[0], "height": box[1], "quality": quality}
        return self._ask(picture, request, SECONDS)[1]

    def animation(self, files: Sequence[Path], form: Literal["webp", "gif"]) -> bytes:
        """An animation of pictures, of which the last is shown longest. Raises `PictureError`."""
        request = {"as": form, "files": [str(each) for each in files], "seconds": _ANIMATION_CPU}
        return self._ask(b"", request, ANIMATION_SECONDS)[1]

    def _ask(
        self, picture: bytes | Path, request: Mapping[str, Any], seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        """The header and the bytes of the worker's answer. Raises `PictureError`."""
        if isinstance(picture, bytes):
            request, data = {**request, "bytes": len(picture)}, picture
        else:
            _check_file(picture)
            request, data = {**request, "file": str(picture.absolute())}, b""
        process = self._started()
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, stop)
        timer.start()
        try:
            header, answer = _exchange(process, json.dumps(request).encode() + b"\n" + data)
        except (OSError, ValueError, TypeError, KeyError):
            self.close()
            if late.is_set():
                raise _Stopped("takes too long to show") from None
            # The system's limits end the process: that on time with a signal of its own.
            too_much = getattr(signal, "SIGPROF", None)
            kind = PictureError if too_much is not None and process.returncode == -too_much else _Stopped
            raise kind("takes too much time or memory to show") from None
        except BaseException:  # the answer is still to come
            self.close()
            raise
        finally:
            timer.cancel()
        if header.get("missing"):
            raise PillowMissing
        if problem := header.get("problem"):
            raise PictureError(str(problem))
        return header, answer

    def _started(self) -> subprocess.Popen[bytes]:
        """The process. Raises `PictureError`."""
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        if not sys.executable:
            raise PillowMissing
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environ,
                start_new_session=True,  # Ctrl-C is for us
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise PictureError(f"cannot be decoded ({reason_of(error)})") from error
        return self._process


class Decoders:
    """A decoder for each processor, for threads that need one for a moment. `environ` is that of the processes."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._free: queue.LifoQueue[Decoder] = queue.LifoQueue()
        for _ in range(os.cpu_count() or 1):
            self._free.put(Decoder(environ))

    @contextmanager
    def one(self) -> Iterator[Decoder]:
        """A decoder that no other thread uses, as soon as there is one."""
        decoder = self._free.get()
        try:
            yield decoder
        finally:
            self._free.put(decoder)

    def close(self) -> None:
        """End the processes that are not in use."""
        while not self._free.empty():
            self._free.get_nowait().close()


def _check_file(picture: Path) -> None:
    """Raises `PictureError` for what the worker should not open."""
    try:
        if not picture.is_file():
            raise PictureError("is not a regular file")
        if picture.stat().st_size > MAX_BYTES:
            raise PictureError("is too large to show")
    except OSError as error:
        raise PictureError(f"cannot be read ({reason_of(error)})") from error


def _exchange(process: subprocess.Popen[bytes], request: bytes) -> tuple[dict[str, Any], bytes]:
    """Send a request and read the answer. Raises `OSError` or `ValueError` if the process ends before that."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request)
    process.stdin.flush()
    header = json.loads(process.stdout.readline())
    data = process.stdout.read(header["bytes"])
    if len(data) != header["bytes"]:
        raise ValueError("the answer is not complete")
    return header, data
