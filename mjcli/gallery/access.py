"""Who may use the server: one browser, admitted by a one-time code and recognised by a cookie.

Other programs of this machine can reach the port, and so can the pages of other sites through the browser, also with
a name of their own that they make resolve to this machine. The path of the page is random, because cookies do not
distinguish ports: a server at another port would get one for `/`.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

HOST = "127.0.0.1"
#: What `Sec-Fetch-Site` says of requests of the page itself, and of an address that was typed.
_OWN_SITES = ("same-origin", "none")


class Access:
    """The code, the cookie and the path of one run; `port` is that of the server."""

    def __init__(self, port: int) -> None:
        self._lock = threading.Lock()
        self._code: str | None = secrets.token_urlsafe(24)
        self._session = secrets.token_urlsafe(32)
        self._hosts = (f"{HOST}:{port}", f"localhost:{port}")
        self._name = f"mj-gallery-{port}"
        self.path = f"/{secrets.token_urlsafe(12)}/"
        self.address = f"http://{HOST}:{port}"
        #: The address that admits a browser, once. No server learns what is behind the #.
        self.entrance = f"{self.address}/enter#{self._code}"

    def is_own_host(self, headers: Mapping[str, str]) -> bool:
        """Whether a request was made for this server by its own name, not by one that was rebound to it."""
        return headers.get("host", "").lower() in self._hosts

    def is_own_origin(self, headers: Mapping[str, str]) -> bool:
        """Whether a request that changes something was made by a page of this server."""
        return self.is_own_host(headers) and headers.get("origin", "") == f"http://{headers['host']}"

    def admit(self, code: str) -> str | None:
        """The cookie for the one who has the code; None for anyone else, and after the first time."""
        with self._lock:
            if self._code is None or not hmac.compare_digest(code.encode(), self._code.encode()):
                return None
            self._code = None
        return f"{self._name}={self._session}; Path={self.path}; HttpOnly; SameSite=Strict"

    def is_admitted(self, headers: Mapping[str, str]) -> bool:
        """Whether a request has the cookie, and was not made by a page at another port."""
        if headers.get("sec-fetch-site", "none") not in _OWN_SITES:
            return False
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self._name)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self._session.encode())
