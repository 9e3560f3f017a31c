"""Check a token and the way to the service with one free query, which is sent once and never shows the token."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from mjcli.errors import ApiError, ExitCode, MjError

if TYPE_CHECKING:
    from mjcli.api import Client, Platform

CHECK_SECONDS = 10.0  # for the connection and the response


class TokenCheck(NamedTuple):
    """What one query found."""

    error: MjError | None
    """Why the query failed; None if the service answered it."""
    clock_offset: float | None
    """Seconds by which the service's clock is ahead of ours; None if it did not say."""

    @property
    def accepted(self) -> bool:
        """Whether the service accepted the token; it does so too when the account has no balance."""
        return self.error is None or self.without_balance

    @property
    def refused(self) -> bool:
        """Whether the service refused the token itself."""
        return isinstance(self.error, ApiError) and self.error.exit_code == ExitCode.AUTH

    @property
    def without_balance(self) -> bool:
        """Whether the account of the token has no balance left."""
        return isinstance(self.error, ApiError) and self.error.code == "used_up"

    @property
    def reached(self) -> bool:
        """Whether the API answered at all."""
        return self.error is None or (isinstance(self.error, ApiError) and self.error.code != "no_api")


def check_token(client: Client) -> TokenCheck:
    """Query the newest task of the account. Never raises `MjError`."""
    retries, client.retries = client.retries, 0
    try:
        client.recent_tasks(limit=1, deadline=time.monotonic() + CHECK_SECONDS)
    except MjError as error:
        return TokenCheck(error, client.clock_offset)
    finally:
        client.retries = retries
    return TokenCheck(None, client.clock_offset)


def check_platform_token(platform: Platform) -> TokenCheck:
    """Query the balance of the account. Never raises `MjError`."""
    try:
        platform.applications(seconds=CHECK_SECONDS)
    except MjError as error:
        return TokenCheck(error, None)
    return TokenCheck(None, None)
