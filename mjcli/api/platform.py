"""`Platform`: the management API of the service, with the balance, the usage records and the prices.

Amounts are Credits; one Credit costs `Application.usd_per_credit`. Any field may be missing, null, or of another type.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from mjcli.api.hooks import Clock
from mjcli.api.http import Transport
from mjcli.api.models import number_of, text_of
from mjcli.errors import ApiError, ConfigError, ExitCode, LostResponse, NetworkError, PlatformRefused, Remedy

DEFAULT_URL = "https://platform.acedata.cloud/api/v1"
MIDJOURNEY = "d87e5e99-b797-4ade-9e73-b896896b0461"  # the id of the service
PAGE = 100  # usage records per request
_MOST_PAGES = 10_000  # in case the offset is ignored
_MILLISECONDS = 1e11  # a later time in seconds would be after the year 5000


class Application(NamedTuple):
    """A quota or a balance of the account. `expires_at` is in Unix seconds; None: never, or unknown."""

    id: str | None
    remaining: float | None
    used: float | None
    is_global: bool
    allows_global: bool
    expires_at: float | None
    usd_per_credit: float | None
    document: Mapping[str, Any]

    def usable(self, now: float) -> bool:
        """Whether it has credits that have not expired."""
        return (self.remaining or 0.0) > 0 and (self.expires_at is None or self.expires_at > now)


class UsageRecord(NamedTuple):
    """What one request to an API cost. `deducted` is in Credits, `created_at` in Unix seconds."""

    id: str | None
    api: str | None
    status_code: int | None
    original: float | None
    deducted: float | None
    trace_id: str | None
    elapsed: float | None
    created_at: float | None


class Platform:
    """The management API, for one platform token. Use it as a context manager, or call `close`.

    Queries are free and are retried after any fault. They raise `PlatformRefused` (the token, for example) and
    `NetworkError`. Plain http is refused for other machines with `ConfigError`, because it would expose the token.
    """

    def __init__(
        self,
        token: str,
        *,
        base_url: str = DEFAULT_URL,
        retries: int = 3,
        use_environment: bool = True,
        clock: Clock = time,
    ) -> None:
        _check_address(base_url)
        self._clock = clock
        self._transport = Transport(
            base_url,
            token,
            token_in="header",  # noqa: S106
            retries=retries,
            use_environment=use_environment,
            clock=clock,
        )

    def __enter__(self) -> Platform:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def applications(self, *, seconds: float | None = None) -> list[Application]:
        """The quotas and balances that pay for Midjourney. `seconds` limits the wait."""
        found = self._get(
            "/applications/", {"user_id": "me", "service_id": MIDJOURNEY}, self._deadline(seconds)
        )
        return [_application(each) for each in _items(found)]

    def usage(
        self, created_at_from: float | None, created_at_to: float | None, *, seconds: float | None = None
    ) -> Iterator[UsageRecord]:
        """Yield the usage records between two Unix times, each once; None: no limit. `seconds` limits the wait."""
        deadline = self._deadline(seconds)
        bounds = {"created_at_from": created_at_from, "created_at_to": created_at_to}
        period = {name: _iso(moment) for name, moment in bounds.items() if moment is not None}
        offset, seen = 0, set[str]()
        for _ in range(_MOST_PAGES):
            page = {"user_id": "me", **period, "limit": str(PAGE), "offset": str(offset)}
            document = self._get("/usage/apis/", page, deadline)
            items = _items(document)
            new = [each for each in map(_usage_record, items) if each.id is None or each.id not in seen]
            seen.update(each.id for each in new if each.id is not None)
            yield from new
            offset += len(items)
            total = number_of(document.get("count"))
            # A service may send less than a page holds; without a count, only a full page has a successor.
            more = len(items) >= PAGE if total is None else offset < total
            if not new or not more:
                return

    def price(self, path: str) -> float | dict[str, float] | None:
        """What the API at a path costs, in Credits: a number, or numbers by name; None if that is not known."""
        found = _items(self._get("/apis/", {"path": path}, None))
        named = [each for each in found if each.get("path") in (None, path)]
        cost = named[0].get("cost") if named else None
        if isinstance(cost, Mapping):
            numbers = {str(name): number_of(value) for name, value in cost.items()}
            return {name: value for name, value in numbers.items() if value is not None} or None
        return number_of(cost)

    def _deadline(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._clock.monotonic() + seconds

    def _get(self, path: str, parameters: Mapping[str, str], deadline: float | None) -> dict[str, Any]:
        try:
            return self._transport.get(path, parameters, deadline)
        except ApiError as error:
            raise _refused(error) from error
        except LostResponse as error:
            # Nothing is lost: a query starts no job.
            raise NetworkError(error.message, remedy=Remedy.PLATFORM_ADDRESS) from error
        except NetworkError as error:
            error.remedy = error.remedy and Remedy.PLATFORM_ADDRESS
            raise


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return
    try:
        local = parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        local = False
    if parts.scheme != "http" or not local:
        raise ConfigError("The address of the platform must start with https://. Nothing was sent.")


def _refused(error: ApiError) -> PlatformRefused:
    about_token = error.exit_code == ExitCode.AUTH or error.status == 403
    refusal = PlatformRefused(
        error.message,
        code=error.code,
        status=error.status,
        trace_id=error.trace_id,
        document=error.document,
        remedy=Remedy.LOG_IN_PLATFORM if about_token else None,
    )
    refusal.exit_code = error.exit_code
    return refusal


def _items(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    items = document.get("items")
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def _application(document: Mapping[str, Any]) -> Application:
    package = document.get("package")
    rate = None
    if isinstance(package, Mapping):
        price, amount = number_of(package.get("price")), number_of(package.get("amount"))
        rate = price / amount if price is not None and amount else None
    return Application(
        id=text_of(document.get("id")),
        remaining=number_of(document.get("remaining_amount")),
        used=number_of(document.get("used_amount")),
        is_global=(text_of(document.get("scope")) or "").lower() == "global",
        allows_global=document.get("allow_consume_global") is not False,
        expires_at=_moment(document.get("expired_at")),
        usd_per_credit=rate if rate is not None and rate > 0 else None,
        document=document,
    )


def _usage_record(document: Mapping[str, Any]) -> UsageRecord:
    api = document.get("api")
    status = number_of(document.get("status_code"))
    return UsageRecord(
        id=text_of(document.get("id")),
        api=text_of(api.get("title") if isinstance(api, Mapping) else api),
        status_code=None if status is None else int(status),
        original=number_of(document.get("original_amount")),
        deducted=number_of(document.get("deducted_amount")),
        trace_id=text_of(document.get("trace_id")),
        elapsed=number_of(document.get("elapsed")),
        created_at=_moment(document.get("created_at")),
    )


def _moment(value: object) -> float | None:
    """A time in Unix seconds, from a number (also of milliseconds) or ISO 8601; without a zone it is UTC."""
    number = number_of(value)
    if number is not None:
        return number / 1000 if number > _MILLISECONDS else number
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
        if parsed is None:
            return None
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
