"""The management API: prices, the balance, and the usage records of the jobs that succeeded."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from .fields import RefusalError, bad
from .store import Job, Store

PATH = "/api/v1"
TOKENS = "platform-"  # what a platform token begins with
SERVICE = "d87e5e99-b797-4ade-9e73-b896896b0461"

# In Credits. The real factors are not published; this one only makes some jobs more expensive.
PRICES = {"image": 0.25, "upscale": 0.05, "describe": 0.05, "video": 1.0}
_FACTOR = 2.0
QUOTA, BALANCE = 10.0, 90.0  # Credits at the start: of the service, and global
_PACKAGE = {"price": 10.0, "amount": 100.0}  # USD for Credits
_TITLES = {"imagine": "Midjourney Imagine", "edits": "Midjourney Edits", "videos": "Midjourney Videos"}
_STATUS = {"bad_request": 400, "forbidden": 403}


class Platform:
    """Answers the GET requests below `PATH`. Raises `RefusalError`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, path: str, query: str, authorization: str) -> dict[str, Any]:
        """The response to a request; `path` is below `PATH`."""
        parameters = {name: values[-1] for name, values in parse_qs(query).items()}
        if path == "/apis":  # needs no token
            return _apis(parameters.get("path", ""))
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip().startswith(TOKENS):
            raise RefusalError(401, "invalid_token", "sandbox: this needs a platform token")
        if path == "/applications":
            return self._applications()
        if path == "/usage/apis":
            return self._usage(parameters)
        if path == "/usage/apis/aggregate":
            return self._aggregate(parameters)
        raise RefusalError(404, "no_api", f"sandbox: there is no API at {PATH}{path}")

    def _applications(self) -> dict[str, Any]:
        used = sum(cost_of(job) for job in self._ended(None, None))
        quota = min(used, QUOTA)
        items = [
            _application("Individual", QUOTA, quota),
            _application("Global", BALANCE, min(used - quota, BALANCE)),
        ]
        return {"count": len(items), "items": items, "sandbox": True}

    def _usage(self, parameters: dict[str, str]) -> dict[str, Any]:
        jobs = self._period(parameters)
        offset, limit = _number(parameters, "offset", 0), _number(parameters, "limit", 12)
        page = jobs[offset : offset + limit]
        return {"count": len(jobs), "items": [_usage_record(job) for job in page], "sandbox": True}

    def _aggregate(self, parameters: dict[str, str]) -> dict[str, Any]:
        amounts: dict[tuple[str, str], float] = {}
        for job in self._period(parameters):
            key = (_iso(job.ends_at)[:10], job.kind)
            amounts[key] = round(amounts.get(key, 0.0) + cost_of(job), 6)
        items = [{"date": day, "api_id": kind, "amount": each} for (day, kind), each in amounts.items()]
        apis = {kind: {"id": kind, "title": _title(kind)} for _, kind in amounts}
        return {"items": items, "total": round(sum(amounts.values()), 6), "apis": apis, "sandbox": True}

    def _period(self, parameters: dict[str, str]) -> list[Job]:
        return self._ended(_time(parameters, "created_at_from"), _time(parameters, "created_at_to"))

    def _ended(self, since: float | None, until: float | None) -> list[Job]:
        """The jobs that ended in a period, newest first."""
        now = time.time()
        return [
            job
            for job in self._store.all_jobs()
            if job.has_ended(now)
            and (since is None or job.ends_at >= since)
            and (until is None or job.ends_at <= until)
        ]


def cost_of(job: Job) -> float:
    """What a job costs, in Credits; one that failed is free."""
    if job.error:
        return 0.0
    action = str(job.request.get("action") or "")
    kind = {"imagine": "image", "edits": "image", "videos": "video"}.get(job.kind, job.kind)
    if kind == "image" and action.startswith(("upscale", "upsample")):
        kind = "upscale"
    price = PRICES.get(kind, 0.0)
    prompt = str(job.request.get("prompt") or "")
    for expensive in (
        job.request.get("mode") == "turbo" or "--turbo" in prompt,
        job.request.get("hd") or "--hd" in prompt,
        job.request.get("style_reference") or "--sref" in prompt,
        job.request.get("moodboard"),
    ):
        price *= _FACTOR if expensive else 1.0
    return price


def _application(scope: str, amount: float, used: float) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox/{scope}")),
        "service_id": SERVICE,
        "remaining_amount": round(amount - used, 6),
        "used_amount": round(used, 6),
        "scope": scope,
        "allow_consume_global": True,
        "expired_at": None,
        "type": "Usage",
        "package": _PACKAGE,
    }


def _usage_record(job: Job) -> dict[str, Any]:
    cost = cost_of(job)
    return {
        "id": job.job_id,
        "api": {"title": _title(job.kind)},
        "status_code": _STATUS.get(job.error.get("code", ""), 500) if job.error else 200,
        "original_amount": cost,
        "deducted_amount": cost,
        "trace_id": job.trace_id,
        "elapsed": job.lasts,
        "created_at": _iso(job.ends_at),
    }


def _apis(path: str) -> dict[str, Any]:
    kinds = {"imagine": "image", "edits": "image", "videos": "video", "describe": "describe"}
    kind = kinds.get(path.removeprefix("/midjourney/"))
    items = [{"path": path, "cost": PRICES[kind]}] if kind is not None else []
    return {"count": len(items), "items": items, "sandbox": True}


def _title(kind: str) -> str:
    return _TITLES.get(kind, f"Midjourney {kind.capitalize()}")


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(parameters: dict[str, str], name: str) -> float | None:
    value = parameters.get(name)
    if not value:
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise bad(f"{name} must be a time in ISO 8601") from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _number(parameters: dict[str, str], name: str, default: int) -> int:
    value = parameters.get(name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise bad(f"{name} must be a number")
    return int(value)
