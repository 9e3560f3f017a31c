"""What connections use from the environment: proxies and certificates. The same decision for every client."""

from __future__ import annotations

import contextlib
import os
import re
import ssl
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies

from mjcli.errors import ConfigError, reason_of

_SCHEMES = ("http", "https", "socks5", "socks5h")
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Proxies(NamedTuple):
    """The proxies of the environment by scheme (`http`, `https`, `all`), and the hosts that need none."""

    urls: dict[str, str]
    exceptions: str

    @classmethod
    def of_environment(cls) -> Proxies:
        """The proxy variables; on macOS and Windows the system's settings where no variable is set."""
        found = getproxies()
        return cls(
            {key: found[key] for key in ("http", "https", "all") if found.get(key)}, found.get("no", "")
        )

    def for_url(self, url: str) -> str | None:
        """The address of the proxy for a link, None for a direct connection.

        ConfigError, with the name of the variable, for a proxy that cannot be used.
        """
        key = self._key(url)
        return None if key is None else _proxy_address(self.urls[key], key)

    def variable_for(self, url: str) -> str | None:
        """The variable that sets the proxy for a link, None for a direct connection."""
        key = self._key(url)
        return None if key is None else _variable(key)

    def _key(self, url: str) -> str | None:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        key = parts.scheme if parts.scheme in self.urls else "all"
        if key not in self.urls or is_exception(self.exceptions, parts.scheme, host, port):
            return None
        return key


# --- Proxies.


def _proxy_address(value: str, key: str) -> str:
    """The URL of a proxy, its user name and password encoded. ConfigError if it cannot be used."""
    scheme, has_scheme, rest = value.strip().rpartition("://")
    scheme = scheme.lower() if has_scheme else "http"
    user_info, has_user, address = rest.rpartition("@")
    authority = re.split(r"[/?#]", address, maxsplit=1)[0]
    valid = re.fullmatch(_HOST, _ascii(authority) or "")
    subject = f'The proxy "{scheme}://{"***@" if has_user else ""}{address}" ({_variable(key)})'
    if scheme.startswith("socks") and scheme not in _SCHEMES:
        raise ConfigError(
            f"{subject} is of a kind that mj does not support.", hint="use socks5:// or http://"
        )
    if (
        scheme not in _SCHEMES
        or valid is None
        or not 0 < int(valid[2] or 1) < 65536
        or not _is_host(valid[1])
    ):
        hint = "set it to an address such as http://proxy.example:3128, or unset it"
        raise ConfigError(f"{subject} is not a valid address.", hint=hint)
    if scheme.startswith("socks"):
        _require_socks(subject)
    user, has_password, password = user_info.partition(":")
    encoded = _encoded(user) + (f":{_encoded(password)}" if has_password else "")
    return f"{scheme}://{encoded}{has_user}{valid[0]}"


def _is_host(host: str) -> bool:
    if host.startswith("["):
        return _address(host[1:-1]) is not None
    return all(0 < len(label) < 64 for label in host.removesuffix(".").split("."))


def _encoded(text: str) -> str:
    """A part of the user information, whether it was percent-encoded or not."""
    return quote(unquote(text, errors="surrogateescape"), safe="", errors="surrogateescape")


def _require_socks(subject: str) -> None:
    from importlib.util import find_spec

    if find_spec("socksio") is None:
        raise ConfigError(
            f"{subject} is a SOCKS proxy, which needs the package socksio.",
            hint="pip install 'httpx[socks]', or unset the variable",
        )


def _variable(key: str) -> str:
    """The name of the variable that sets the proxy of a scheme, as `getproxies` finds it."""
    names = [name for name in os.environ if name.lower() == f"{key}_proxy" and os.environ[name]]
    lower = [name for name in names if name[-6:] == "_proxy"]
    return (lower or names or ["system settings"])[0]


def is_exception(exceptions: str, scheme: str, host: str, port: int | None) -> bool:
    """Whether `NO_PROXY` lists a host, as curl reads it; entries that have no meaning are ignored.

    Names match with their subdomains, addresses alone or within a network (`10.0.0.0/8`, `fd07::/64`).
    """
    port = port or _DEFAULT_PORTS.get(scheme)
    host = (_ascii(host) or host).lower().removesuffix(".")
    return any(_matches(entry, scheme, host, port) for entry in re.split(r"[\s,]+", exceptions.lower()))


def _matches(entry: str, scheme: str, host: str, port: int | None) -> bool:
    only, has_scheme, rest = entry.rpartition("://")
    if has_scheme and only not in (scheme, "all"):
        return False
    if rest == "*":
        return True
    ported = re.fullmatch(r"(\[.*\]|[^:]*):([0-9]+)", rest)
    if ported is not None:
        if int(ported[2][:6]) != port:
            return False
        rest = ported[1]
    rest = rest.replace("[", "").replace("]", "")
    address = _address(host)
    if address is not None:
        try:
            return address in ip_network(rest, strict=False)
        except ValueError:
            return False
    name = (_ascii(rest) or "").lstrip("*").lstrip(".").removesuffix(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _ascii(name: str) -> str | None:
    """A host name as DNS has it; None if it cannot be one."""
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return None


# --- Certificates.


def certificates(load: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """The context that `load` makes from the environment's certificates.

    ConfigError, with the name of the variable, if `SSL_CERT_FILE` or `SSL_CERT_DIR` cannot be used.
    """
    _check_certificate_variables()
    try:
        return load()
    except (OSError, ValueError) as error:  # OSError: also ssl.SSLError
        raise _unusable(f"cannot be used ({_reason(error)})") from error


def _check_certificate_variables() -> None:
    """Refuse what loading would wait for (a FIFO) or silently ignore (a directory without certificates)."""
    file, places = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    # Unlike the methods of `Path`, these functions never raise.
    if file and not os.path.exists(file):  # noqa: PTH110
        raise _unusable("does not exist")
    if file and not os.path.isfile(file):  # noqa: PTH113
        raise _unusable("is not a file")
    if file or not places:
        return
    if not any(_has_certificates(Path(each)) for each in places.split(os.pathsep) if each):
        raise _unusable("has no certificates that OpenSSL can find")


def _has_certificates(directory: Path) -> bool:
    with contextlib.suppress(OSError):
        return any(re.fullmatch(r"[0-9a-f]{8}\.[0-9]+", each.name) for each in directory.iterdir())
    return False


def _unusable(problem: str) -> ConfigError:
    variable = next((each for each in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(each)), None)
    if variable is None:
        return ConfigError(f"The trusted certificates of this installation {problem}. Nothing was sent.")
    hint = f"set {variable} to your CA certificates in PEM format, or unset it"
    if variable == "SSL_CERT_DIR":
        hint = "run openssl rehash on the directory, or unset SSL_CERT_DIR"
    return ConfigError(f'"{os.environ[variable]}" ({variable}) {problem}.', hint=hint)


def _reason(error: Exception) -> str:
    """Why loading failed: OpenSSL says only that the file has no certificate that it can read."""
    return "it has no valid certificate" if isinstance(error, ssl.SSLError) else reason_of(error)
