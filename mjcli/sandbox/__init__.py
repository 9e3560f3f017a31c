"""An embedded stand-in of the API: real HTTP on the loopback interface, no account, nothing paid."""

from .endpoints import SandboxOptions
from .server import Sandbox

__all__ = ["Sandbox", "SandboxOptions"]
