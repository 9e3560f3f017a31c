"""The service's HTTP API as typed Python: `from mjcli.api import Client`."""

from typing import TYPE_CHECKING, Any

from mjcli.api.models import Result, TaskRecord

if TYPE_CHECKING:
    from mjcli.api.client import DEFAULT_BASE_URL, Client, Hooks

__all__ = ["DEFAULT_BASE_URL", "Client", "Hooks", "Result", "TaskRecord"]


def __getattr__(name: str) -> Any:
    """The client is loaded on first use: what only reads the service's objects needs no HTTP."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mjcli.api import client

    return getattr(client, name)
