"""Which addresses lead to the inside of a network, where no picture of the service's can be."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def addresses_of(host: str) -> list[Address]:
    """The addresses a host name stands for; none when it cannot be found out here."""
    try:
        found: list[Address] = [ipaddress.ip_address(host.strip("[]"))]
    except ValueError:
        try:
            infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return []
        found = [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in infos]
    return [_embedded(each) or each for each in found]


def private_among(addresses: Iterable[Address]) -> Address | None:
    """The first of these addresses that not everybody can reach, None when all of them are public."""
    return next((each for each in addresses if not each.is_global or each.is_multicast), None)


def on_connecting(host: str, check: Callable[[str], None]) -> Callable[[str, Mapping[str, Any]], None]:
    """httpcore's trace extension for a request to `host`: `check(address)` before anything is asked of it.

    A name may have another address than when it was looked up. What `check` raises ends the request, the
    connection closed. Behind a proxy the address is the proxy's own, which says nothing and is not checked.
    """
    direct = False

    def trace(event: str, info: Mapping[str, Any]) -> None:
        nonlocal direct
        if event.endswith("connect_tcp.started"):
            direct = info.get("host") == host
        elif direct and event.endswith("connect_tcp.complete"):
            stream = info["return_value"]
            peer = stream.get_extra_info("server_addr")
            try:
                if peer is not None:
                    check(str(peer[0]))
            except BaseException:
                stream.close()  # nobody else holds it yet
                raise

    return trace


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for: mapped, 6to4, or behind NAT64 (RFC 6052)."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in ipaddress.ip_network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
