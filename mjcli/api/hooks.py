"""What a caller may pass to the client: a clock, and functions to call while a request is in progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from mjcli.api.models import Result


class Clock(Protocol):
    """The clock of a client, by default the module `time`; a test may pass one that never sleeps."""

    def monotonic(self) -> float: ...
    def time(self) -> float: ...
    def sleep(self, seconds: float, /) -> None: ...


def _ignore(*_: Any) -> None:
    return None


def _never() -> bool:
    return False


def _never_for(_: Any) -> bool:
    return False


class Hooks(NamedTuple):
    """Functions that are called while a paid request is in progress, in the calling thread."""

    #: Before the first byte of the request is sent.
    leaving: Callable[[], None] = _ignore
    #: After the last byte of the request was sent.
    sent: Callable[[], None] = _ignore
    #: After the status and headers of the response arrived.
    answered: Callable[[], None] = _ignore
    #: After the events that arrived together, before waiting for the next one.
    drained: Callable[[], None] = _ignore
    #: For an object whose line has not ended, when nothing more arrives.
    unterminated: Callable[[Result], None] = _ignore
    #: For each object of the response that `Client.wait` waits for. True: nothing after it is needed.
    enough: Callable[[Result], bool] = _never_for
    #: After a while without a new event, and when a final event may not be the last. True ends the stream.
    silent: Callable[[], bool] = _never
    #: After a refusal because of the rate, with the seconds until the retry; may return another number.
    limited: Callable[[float], float | None] = _ignore
    #: Before the pause of a retry, with its length in seconds and the reason.
    retrying: Callable[[float, str], None] = _ignore
    #: For the pause itself, in seconds. True: the pause is over, so that the client makes none.
    pausing: Callable[[float], bool] = _never_for
    #: For something unexpected that was skipped, with one sentence.
    doubt: Callable[[str], None] = _ignore
