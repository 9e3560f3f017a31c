"""The service's HTTP API as typed Python: `from mjcli.api import Client`. It needs httpx and nothing else.

with Client("TOKEN") as client:
    result = client.imagine("a cat on a table")
    print(result.image_link)
"""

from typing import TYPE_CHECKING, Any

from mjcli.api.models import Result, TaskRecord

if TYPE_CHECKING:
    from mjcli.api.client import DEFAULT_BASE_URL, Client
    from mjcli.api.fields import ActionFields, ImageFields, ImagineFields, VideoFields
    from mjcli.api.hooks import Clock, Hooks
    from mjcli.api.platform import Platform
    from mjcli.api.uploads import FileStore

__all__ = [
    "DEFAULT_BASE_URL",
    "ActionFields",
    "Client",
    "Clock",
    "FileStore",
    "Hooks",
    "ImageFields",
    "ImagineFields",
    "Platform",
    "Result",
    "TaskRecord",
    "VideoFields",
]


def __getattr__(name: str) -> Any:
    """Load the HTTP modules on first use; reading the service's objects does not need them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "FileStore":
        from mjcli.api.uploads import FileStore

        return FileStore
    if name == "Platform":
        from mjcli.api.platform import Platform

        return Platform
    if name.endswith("Fields"):
        from mjcli.api import fields

        return getattr(fields, name)
    if name in ("Clock", "Hooks"):
        from mjcli.api import hooks

        return getattr(hooks, name)
    from mjcli.api import client

    return getattr(client, name)
