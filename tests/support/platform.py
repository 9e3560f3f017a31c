"""The management API on the scripted service: a price of a credit, and usage records."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from tests.support.service import Received, Reply, Service

PATH = "/api/v1"
TOKEN = "platform-secret-0123456789"


def application(remaining: float, scope: str = "Individual", **more: Any) -> dict[str, Any]:
    """A quota or balance, of which ten credits cost one dollar."""
    package = {"price": 1.0, "amount": 10.0}
    return {"remaining_amount": remaining, "used_amount": 1, "scope": scope, "package": package, **more}


class Account:
    """What the platform knows: `applications` and, newest first, `usage`. It answers in pages."""

    def __init__(self, service: Service) -> None:
        self.applications: list[dict[str, Any]] = [application(5.0)]
        self.usage: list[dict[str, Any]] = []
        service.files[f"{PATH}/applications/"] = self._applications
        service.files[f"{PATH}/usage/apis/"] = self._usage

    def charge(self, trace_id: str | None, amount: float, *, title: str = "Midjourney Imagine") -> None:
        """Add a usage record of now, over so many credits."""
        self.usage.insert(
            0,
            {
                "id": f"usage-{len(self.usage)}",
                "api": {"title": title},
                "status_code": 200,
                "original_amount": amount,
                "deducted_amount": amount,
                "trace_id": trace_id,
                "created_at": datetime.fromtimestamp(time.time(), UTC).isoformat(),
            },
        )

    def _applications(self, request: Received, reply: Reply) -> None:
        if self._may(request, reply):
            reply.json({"count": len(self.applications), "items": self.applications})

    def _usage(self, request: Received, reply: Reply) -> None:
        if self._may(request, reply):
            start, limit = int(request.query["offset"]), int(request.query["limit"])
            reply.json({"count": len(self.usage), "items": self.usage[start : start + limit]})

    def _may(self, request: Received, reply: Reply) -> bool:
        given = request.headers.get("authorization")
        if given == f"Bearer {TOKEN}":
            return True
        reply.json({"error": {"code": "invalid_token", "message": f"not a token: {given}"}}, 401)
        return False
