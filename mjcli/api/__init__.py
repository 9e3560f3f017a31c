"""The service's HTTP API as typed Python: `from mjcli.api import Client`."""

from typing import TYPE_CHECKING, Any

from mjcli.api.models import Result, TaskRecord

if TYPE_CHECKING:
    from mjcli.api.client import DEFAULT_BASE_URL, Client, Hooks
    from mjcli.api.fields import ActionFields, ImagineFields, PictureFields, VideoFields
    from mjcli.api.files import FileStore

__all__ = [
    "DEFAULT_BASE_URL",
    "ActionFields",
    "Client",
    "FileStore",
    "Hooks",
    "ImagineFields",
    "PictureFields",
    "Result",
    "TaskRecord",
    "VideoFields",
]


def __getattr__(name: str) -> Any:
    """What speaks HTTP is loaded on first use: who only reads the service's objects needs none of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "FileStore":
        from mjcli.api.files import FileStore

        return FileStore
    if name.endswith("Fields"):
        from mjcli.api import fields

        return getattr(fields, name)
    from mjcli.api import client

    return getattr(client, name)
