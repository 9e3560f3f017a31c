"""What a job is expected to cost, and the limits that the user sets. Pure functions; `costs` has the queries.

All amounts are USD. A job is billed when it succeeds; a grid of four images is one charge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

#: The list prices that the service published last, and the date of that list.
LIST_DATE = "2026-11-26"
LIST_PRICES = {"image": 0.025, "upscale": 0.005, "describe": 0.005, "video": 0.10}
USD_PER_CREDIT = 0.095  # when last published; the platform may say it for an account
LISTED = f"list prices of {LIST_DATE}"
CHARGED = "charged before"
UNKNOWN = "unknown"

RECENT = 20  # charges of a class whose median counts
MOST_REPEATS = 40  # of --repeat

# Parameters that change the price, as the service reads them in a prompt: dashes may be those of a word processor.
_PARAMETER = r"(?:^|\s)(?:--|—|–)\s*(?:{})(?:\s+(\S+)|$|\s)"
_REPEAT = re.compile(_PARAMETER.format("repeat|r"), re.IGNORECASE)
_MODE = re.compile(r"(?:^|\s)(?:--|—|–)\s*(fast|relax|turbo)(?=\s|$)", re.IGNORECASE)
_HD = re.compile(r"(?:^|\s)(?:--|—|–)\s*hd(?=\s|$)", re.IGNORECASE)
_SREF = re.compile(r"(?:^|\s)(?:--|—|–)\s*sref(?=\s|$)", re.IGNORECASE)
# A profile whose code begins with m is a moodboard.
_MOODBOARD = re.compile(r"(?:^|\s)(?:--|—|–)\s*(?:p|profile|personalize)\s+(?:\S+\s+)*?m[0-9]", re.IGNORECASE)


class Billable(Protocol):
    """Anything with an endpoint's path and a request body, such as an `Order`."""

    @property
    def path(self) -> str:
        """The path of the endpoint."""

    @property
    def body(self) -> Mapping[str, Any]:
        """The request."""


class PriceClass(NamedTuple):
    """What a price depends on. `kind` is image, upscale, video, or the name of a text endpoint."""

    kind: str
    mode: str = "fast"
    hd: bool = False
    style_reference: bool = False
    moodboard: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the list price applies; the factors for the rest are not published."""
        return self.mode in ("fast", "relax") and not (self.hd or self.style_reference or self.moodboard)


class Charge(NamedTuple):
    """What a job cost according to the usage records."""

    path: str
    body: Mapping[str, Any]
    usd: float


#: What jobs of a class were charged on this account, see `history_of`.
History = Mapping[PriceClass, float]


class Estimate(NamedTuple):
    """What a job is expected to cost. `usd` is None if the price is not known; `at_least` may be known then."""

    usd: float | None
    source: str
    at_least: float | None = None

    @property
    def lowest(self) -> float | None:
        """The price, or what it is at least."""
        return self.usd if self.usd is not None else self.at_least


class Limits(NamedTuple):
    """What jobs may cost: those of a UTC day in the data directory, and those of a batch, in all its runs."""

    per_day: float | None = None
    batch_cost: float | None = None
    batch_jobs: int | None = None

    @property
    def on_cost(self) -> bool:
        """Whether the price of a job must be known."""
        return self.per_day is not None or self.batch_cost is not None

    @property
    def any(self) -> bool:
        """Whether anything is limited."""
        return self != NO_LIMITS


NO_LIMITS = Limits()


def estimate(order: Billable, history: History) -> Estimate:
    """What an order is expected to cost: what such jobs were charged before, else the list price."""
    return estimate_request(order.path, order.body, history)


def estimate_request(path: str, body: Mapping[str, Any], history: History) -> Estimate:
    """The same for a path and a request body."""
    found, count = class_of(path, body), repeats(body)
    if found in history:
        return Estimate(history[found] * count, CHARGED)
    listed = LIST_PRICES.get(found.kind)
    if listed is None:
        return Estimate(None, UNKNOWN)
    if not found.is_plain:
        return Estimate(None, LISTED, at_least=listed * count)
    return Estimate(listed * count, LISTED)


def history_of(charges: Iterable[Charge]) -> dict[PriceClass, float]:
    """The median of the `RECENT` charges of each class; the newest come first. What was free says nothing."""
    by_class: dict[PriceClass, list[float]] = {}
    for charge in charges:
        if charge.usd > 0:
            amounts = by_class.setdefault(class_of(charge.path, charge.body), [])
            if len(amounts) < RECENT:
                amounts.append(charge.usd / repeats(charge.body))
    return {each: _median(amounts) for each, amounts in by_class.items()}


def class_of(path: str, body: Mapping[str, Any]) -> PriceClass:
    """What the price of a request depends on."""
    prompt = str(body.get("prompt") or "")
    typed = _MODE.findall(prompt)
    mode = str(typed[-1] if typed else body.get("mode") or "fast").lower()
    return PriceClass(
        kind_of(path, body),
        mode,
        hd=bool(body.get("hd")) or bool(_HD.search(prompt)),
        style_reference=bool(body.get("style_reference")) or bool(_SREF.search(prompt)),
        moodboard=bool(body.get("moodboard")) or bool(_MOODBOARD.search(prompt)),
    )


def kind_of(path: str, body: Mapping[str, Any]) -> str:
    """What a request is billed as: image, upscale, video, or the name of a text endpoint."""
    name = path.rstrip("/").rpartition("/")[2]
    if name == "videos":
        return "video"
    if name not in ("imagine", "edits"):
        return name
    action = str(body.get("action") or "")
    return "upscale" if action.startswith(("upscale", "upsample", "redo_up")) else "image"


def repeats(body: Mapping[str, Any]) -> int:
    """How many jobs the service makes of a request: the largest `--repeat` in its prompt."""
    typed = [text.lstrip("0") for text in _REPEAT.findall(str(body.get("prompt") or "")) if text.isdecimal()]
    counts = [int(text) if len(text) < 3 else MOST_REPEATS for text in typed if text]
    return min(max([1, *counts]), MOST_REPEATS)


def amount(usd: float) -> str:
    """An amount as messages show it: `0.025 USD`."""
    return f"{digits(usd)} USD"


def digits(usd: float) -> str:
    """The same without the currency: cents, unless it has more digits."""
    whole, _, cents = f"{usd:.4f}".rstrip("0").partition(".")
    return f"{whole}.{cents.ljust(2, '0')}"


def _median(values: list[float]) -> float:
    # The module statistics takes longer to load than a job takes to record.
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
