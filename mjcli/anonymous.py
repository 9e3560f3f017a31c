"""HTTP clients for hosts that must learn nothing: no token, no cookies, no proxy for what is on this machine."""

from __future__ import annotations

import threading
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from mjcli import __version__
from mjcli.addresses import addresses_of

# What making a client can raise: proxy variables and certificates may be anything.
SETUP_ERRORS = (OSError, ValueError, ImportError, httpx.InvalidURL)


class Anonymous:
    """A client for http, which needs no certificates, and one for https; threads may share them.

    What is on this machine has clients of its own, which use no proxy; it is reached at all only with
    `allow_private`. `settings` are those of `httpx.Client`.
    """

    def __init__(self, *, allow_private: bool, use_environment: bool, **settings: Any) -> None:
        self._allow_private, self._use_environment, self._settings = allow_private, use_environment, settings
        self._clients: dict[tuple[str, bool], httpx.Client] = {}
        self._lock = threading.Lock()

    def client(self, url: httpx.URL) -> httpx.Client:
        """The client for an address, made on first use. Raises one of `SETUP_ERRORS`."""
        local = self._allow_private and any(each.is_loopback for each in addresses_of(url.host))
        key = (url.scheme, local)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = httpx.Client(
                    verify=url.scheme == "https",
                    trust_env=self._use_environment and not local,
                    cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                    headers={
                        "user-agent": f"mj/{__version__}",
                        "accept": "*/*",
                        "accept-encoding": "identity",
                    },
                    **self._settings,
                )
            return self._clients[key]

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()
