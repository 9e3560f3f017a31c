"""Checks of request fields: each returns the value or raises `RefusalError`."""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any, NoReturn
from urllib.parse import urlsplit


class RefusalError(Exception):
    """A request that gets an error object and has no effect."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


def bad(message: str) -> RefusalError:
    """The refusal of a malformed request."""
    return RefusalError(400, "bad_request", message)


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in a request body."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant, parse_float=_number)
    except (ValueError, RecursionError) as error:
        raise bad("the body is not valid JSON") from error
    if not isinstance(value, dict):
        raise bad("the body must be a JSON object")
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is out of range")
    return value


def text(body: dict[str, Any], name: str, *, required: bool = False) -> str:
    """A string field, empty if it is missing."""
    value = body.get(name)
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise bad(f"{name} must be a string")
    if required and not value.strip():
        raise bad(f"{name} is required")
    return value


def choice(body: dict[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    """A string field with one of a few values."""
    value = text(body, name) or default
    if value not in allowed:
        raise bad(f"{name} must be one of {', '.join(allowed)}")
    return value


def flag(body: dict[str, Any], name: str) -> bool:
    """A boolean field, false if it is missing."""
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
    """Check an optional field that is a number above 0."""
    value = body.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
        raise bad(f"{name} must be a number above 0")


def moment(body: dict[str, Any], name: str) -> float | None:
    """A field that is a Unix time in seconds, None if it is missing."""
    value = body.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise bad(f"{name} must be a Unix time")
    return None if value is None else float(value)


def strings(body: dict[str, Any], name: str) -> list[str] | None:
    """A list of strings, None if it is missing."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise bad(f"{name} must be a list of strings")
    return value


def url(body: dict[str, Any], name: str, *, required: bool = False) -> str:
    """An http or https address, empty if it is missing."""
    value = text(body, name, required=required)
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or not value.isascii() or not value.isprintable() or " " in value:
        raise bad(f"{name} must be an http or https address")
    return value


def mask(body: dict[str, Any], *, required: bool = False) -> None:
    """Check that `mask` is valid Base64."""
    value = text(body, "mask", required=required)
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad("mask must be the Base64 of an image") from error
