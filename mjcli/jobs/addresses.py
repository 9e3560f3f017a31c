"""Addresses of callbacks: what the options for them may be, and which of them only this network can reach."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import SplitResult, urlsplit

from mjcli.errors import UsageError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,254}}\Z)(?:{_LABEL}\.)*(?![0-9]+\.?\Z){_LABEL}\.?")
_AUTHORITY = re.compile(r"(?:\[[^]]+\]|[^][:]+)(?::[0-9]+)?")
# Never public: names of local networks, and those that RFC 6761 and 7686 reserve.
_LOCAL_NAMES = (
    "localhost",
    "local",
    "localdomain",
    "internal",
    "lan",
    "home.arpa",
    "test",
    "invalid",
    "onion",
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
#: Site-local (RFC 3879), local NAT64 (RFC 8215), and obsolete forms of IPv4 addresses, which are routed nowhere.
_LOCAL_NETWORKS = [
    ipaddress.ip_network(each) for each in ("fec0::/10", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96")
]
_TUNNEL_HINT = "an example is https://example.trycloudflare.com"


def bind_host(text: str) -> str:
    """The address or name that --host stands for, without brackets and in its usual spelling.

    Raises `UsageError` for what is neither.
    """
    bracketed = text.startswith("[") and text.endswith("]")
    host = text[1:-1].replace("%25", "%") if bracketed else text
    address = literal(host)
    if address is not None and host.isprintable() and " " not in host and (not bracketed or ":" in host):
        return str(address)
    if bracketed or not _NAME.fullmatch(host):
        raise UsageError(
            f'--host "{text}" is not an IP address or host name.',
            hint="--host 127.0.0.1 receives from this machine, --host 0.0.0.0 from other machines, too",
        )
    return host.lower()


def url_host(host: str) -> str:
    """The host of a URL for an address or a name, with brackets around IPv6 (RFC 6874 for zones)."""
    return f"[{host.replace('%', '%25')}]" if ":" in host else host


def literal(host: str) -> Address | None:
    """The IP address that a host is in any spelling, such as "127.1"; None for a name. No name is resolved."""
    try:
        address: Address = ipaddress.ip_address(host)
    except ValueError:
        if not re.fullmatch(r"[0-9A-Fa-fxX.]+", host) or not host[0].isdigit():
            return None
        try:
            address = ipaddress.IPv4Address(socket.inet_aton(host.removesuffix(".")))
        except OSError:
            return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_private(url: str) -> bool:
    """Whether the host of a valid URL leads to this machine or its network; no name is resolved."""
    host = (urlsplit(url).hostname or "").replace("%25", "%")
    address = literal(host)
    if address is None:
        name = host.removesuffix(".").lower()
        return "." not in name or name.endswith(tuple(f".{each}" for each in _LOCAL_NAMES))
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in each for each in _LOCAL_NETWORKS):
            return True
        embedded = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
        address = embedded or address.sixtofour or address
    return not address.is_global or address.is_multicast


def check_callback_url(url: str) -> None:
    """Refuse a --callback-url that is not a complete URL. Raises `UsageError`."""
    parts = _parts(url)
    if parts is None or parts.fragment or url.endswith("#"):
        raise UsageError(
            f'--callback-url "{url}" is not a valid http:// or https:// URL.',
            hint="an example is https://example.com/hook",
        )


def path_of_public_url(url: str) -> str:
    """The path of a --public-url, without a trailing slash. Raises `UsageError` if the URL is invalid."""
    parts = _parts(url)
    if parts is None or "?" in url or "#" in url:
        raise UsageError(f'--public-url "{url}" is not the address of a tunnel.', hint=_TUNNEL_HINT)
    return parts.path.rstrip("/")


def _parts(url: str) -> SplitResult | None:
    """The parts of an HTTP URL; None if it is malformed."""
    if "\\" in url or not all("!" <= character <= "~" for character in url):
        return None  # urlsplit would drop some of these characters
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    authority = parts.netloc.rpartition("@")[2]
    if parts.scheme not in ("http", "https") or port == 0 or not _AUTHORITY.fullmatch(authority):
        return None
    bracketed = authority.startswith("[")  # an IPv6 address always is
    valid = literal(host) is not None and (":" in host) == bracketed
    return parts if valid or (not bracketed and _NAME.fullmatch(host)) else None
