"""The service's HTTP API as typed Python: `from mjcli.api import Client`."""

from mjcli.api.client import DEFAULT_BASE_URL, Client, Hooks
from mjcli.api.models import Result, TaskRecord

__all__ = ["DEFAULT_BASE_URL", "Client", "Hooks", "Result", "TaskRecord"]
