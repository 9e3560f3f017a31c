"""Checks of request bodies: each says what is wrong with a field, or hands its value back."""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any, NoReturn
from urllib.parse import urlsplit


class RefusalError(Exception):
    """A request that is answered with an error object and leaves no trace."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


def bad(message: str) -> RefusalError:
    """The refusal of a malformed request."""
    return RefusalError(400, "bad_request", message)


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in a request body; raises `RefusalError` for anything else."""
    try:
        value = json.loads(body, parse_constant=_no_number, parse_float=_number)
    except (ValueError, RecursionError) as error:
        raise bad("the body is not valid JSON") from error
    if not isinstance(value, dict):
        raise bad("the body must be a JSON object")
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is out of range")
    return value


def text(body: dict[str, Any], name: str, *, required: bool = False) -> str:
    """A string field, empty when it is missing."""
    value = body.get(name)
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise bad(f"{name} must be a string")
    if required and not value.strip():
        raise bad(f"{name} is required")
    return value


def choice(body: dict[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    """A string field that has one of a few values."""
    value = text(body, name) or default
    if value not in allowed:
        raise bad(f"{name} must be one of {', '.join(allowed)}")
    return value


def flag(body: dict[str, Any], name: str) -> bool:
    """A field that is true or false, false when it is missing."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise bad(f"{name} must be true or false")
    return bool(value)


def integer(body: dict[str, Any], name: str, default: int, low: int, high: int) -> int:
    """An integer field between `low` and `high`."""
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise bad(f"{name} must be an integer between {low} and {high}")
    return value


def positive(body: dict[str, Any], name: str) -> None:
    """Check a field that is a number above 0, when it is there."""
    value = body.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
        raise bad(f"{name} must be a number above 0")


def strings(body: dict[str, Any], name: str) -> list[str] | None:
    """A field that is a list of strings, None when it is missing."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise bad(f"{name} must be a list of strings")
    return value


def url(body: dict[str, Any], name: str, *, required: bool = False) -> str:
    """A field that is an http or https address, empty when it is missing."""
    value = text(body, name, required=required)
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or not value.isascii() or not value.isprintable() or " " in value:
        raise bad(f"{name} must be an http or https address")
    return value


def mask(body: dict[str, Any], *, required: bool = False) -> None:
    """Check the Base64 of `mask`."""
    value = text(body, "mask", required=required)
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad("mask must be the Base64 of an image") from error
