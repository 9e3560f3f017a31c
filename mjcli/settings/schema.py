"""The settings that exist, their valid values, and the checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mjcli.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address
    from pathlib import Path

Check = Callable[[str], str]
"""Returns the value to use, or raises ValueError with a predicate ("must be ...") for a subject the caller knows."""

DEFAULT_PROFILE = "default"
SANDBOX = "sandbox"
MODES = ("fast", "relax", "turbo")
PREVIEWS = ("auto", "kitty", "iterm", "sixel", "blocks", "off")
TOKEN_PLACES = ("header", "query")
METADATA = ("embed", "sidecar", "off")

SETTABLE_KEYS = (
    "base_url",
    "token_in",
    "files_url",
    "platform_url",
    "defaults.mode",
    "defaults.output",
    "defaults.download",
    "defaults.suffix",
    "defaults.preview",
    "defaults.max_cost_per_day",
    "defaults.metadata",
    "presets.NAME.suffix",
    "profiles.NAME.base_url",
    "profiles.NAME.token_in",
    "profiles.NAME.files_url",
    "profiles.NAME.platform_url",
)


class Setting(NamedTuple):
    """A value and its source."""

    value: Any
    """The typed value, or None if it is not set."""
    source: str
    """`option --profile`, `environment MJ_TOKEN`, `profile work in FILE`, `defaults in FILE`, `default` or
    `sandbox`."""


# --- Addresses.

_LONGEST_URL = 2000
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


def check_base_url(url: str) -> str:
    """Return `url` without its trailing slashes; ValueError with a predicate that does not show it.

    Plain `http://` is allowed for a loopback address only: on a network it would expose the token.
    """
    parts = re.match(r"(?i)(https?)://([^/?#\\]*)", url)
    if not parts or not parts[2]:
        raise ValueError("must be an https:// URL with a host (http:// only for this machine)")
    scheme, authority = parts[1].lower(), parts[2]
    if "@" in authority:
        raise ValueError("must not contain a user name or password")
    if "?" in url or "#" in url:
        raise ValueError("must not contain a query or a fragment (? or #)")
    if "\\" in url or not all("!" <= character <= "~" for character in url):
        raise ValueError("must be plain ASCII without spaces or backslashes")
    if len(url) > _LONGEST_URL:
        raise ValueError(f"must have at most {_LONGEST_URL} characters")
    host = _host_of(authority)
    if scheme == "http" and not _is_loopback_host(host):
        raise ValueError("must start with https://; plain http:// would send the token unencrypted")
    return url.rstrip("/")


def check_files_url(url: str) -> str:
    """Return `url` unchanged, because its trailing slash is significant; ValueError as for `check_base_url`."""
    check_base_url(url)
    return url


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port, which identify a server."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def is_loopback(url: str) -> bool:
    """Whether the host of `url` is this machine, by name or address; no name is resolved."""
    from urllib.parse import urlsplit

    return _is_loopback_host(urlsplit(url).hostname or "")


def _host_of(authority: str) -> str:
    """The lower-case host of `HOST[:PORT]`, without brackets; ValueError with a predicate."""
    parts = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", authority)
    if not parts or (parts[2] is not None and not 0 < int(parts[2]) < 65536):
        raise ValueError("must have a valid host, optionally with a port from 1 to 65535")
    host = parts[1].lower()
    if host.startswith("[") and _ip_address(host[1:-1]) is None:
        raise ValueError("must have a valid IPv6 address in brackets")
    if not host.startswith("[") and not _is_host_name(host):
        raise ValueError("must have a valid host, which is a name or an IP address")
    return host.strip("[]")


def _is_host_name(host: str) -> bool:
    """Whether DNS can carry a name; a name that ends in a number must be an IPv4 address."""
    labels = host.split(".")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        return _ip_address(host) is not None
    try:
        host.encode().decode("idna")  # for the labels that begin with xn--
    except UnicodeError:
        return False
    return len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


def _is_loopback_host(host: str) -> bool:
    if host == "localhost":
        return True
    address = _ip_address(host)
    if address is None:
        return False
    # An IPv4 address mapped to IPv6 is not reliably local.
    return address.is_loopback and (address.version == 4 or str(address) == "::1")


def _ip_address(host: str) -> IPv4Address | IPv6Address | None:
    import ipaddress

    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


# --- Other values.


_LONGEST_TOKEN = 8192
_LONGEST_NAME = 200
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"
_QUOTES = "\"'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\uff02\uff07"
_SCHEME = re.compile(r"(?i)(authorization\s*:\s*)?bearer(?=[\s\"'`:]|$)\s*:?|authorization\s*:")


def bare_token(text: str) -> str:
    """The token in pasted text: without the white space, quotes and `Bearer` around it."""
    before = None
    while text != before:
        before = text
        text = text.strip().strip(_INVISIBLE).strip(_QUOTES)
        if scheme := _SCHEME.match(text):
            text = text[scheme.end() :]
    return text


def check_token(text: str) -> str:
    """Return the token in `text` (see `bare_token`) if it is valid in an HTTP header.

    ValueError with a predicate that does not show it.
    """
    token = bare_token(text)
    if not token:
        raise ValueError("must not be empty")
    for character in token:
        if character in "\r\n":
            raise ValueError("must not contain a line break")
        if character.isspace():
            raise ValueError("must not contain a space")
        if not character.isascii():
            raise ValueError("must be plain ASCII")
        if not character.isprintable():
            raise ValueError("must not contain a control character")
    if len(token) > _LONGEST_TOKEN:
        raise ValueError(f"must have at most {_LONGEST_TOKEN} characters")
    return token


def check_profile_name(name: str) -> str:
    """Return `name` if the file may have a profile or preset of that name; ValueError with a predicate."""
    if not name:
        raise ValueError("must not be empty")
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"must have at most {_LONGEST_NAME} characters")
    if not name.isprintable() or name != name.strip():
        raise ValueError("must not contain control characters, or start or end with a space")
    if name == SANDBOX:
        raise ValueError(f'must not be "{SANDBOX}", which is reserved for --sandbox')
    return name


def check_output(value: str) -> str:
    """Return `value` if it can be a path; ValueError with a predicate."""
    if not value or "\0" in value:
        raise ValueError("must be a path")
    return value


def check_suffix(value: str) -> str:
    """Return `value`: the prompt checker judges suffixes when they are used."""
    return value


def check_amount(value: str) -> float:
    """Return an amount of money; ValueError with a predicate."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value.strip()):
        raise ValueError("must be an amount in USD such as 5 or 0.50")
    return float(value)


def _is_amount(value: object) -> bool:
    """Whether a number in the file is an amount of money."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e9


def _one_of(*allowed: str, echo: bool = True) -> Check:
    def check(value: str) -> str:
        if value not in allowed:
            expected = f"must be {', '.join(allowed[:-1])} or {allowed[-1]}"
            raise ValueError(f'{expected}, not "{value}"' if echo else expected)
        return value

    return check


# --- Keys. The file has tables of these; the values are strings except `defaults.download` and `_MAX_COST`.

SECRETS = ("token", "files_token", "platform_token")
PROFILE_KEYS: dict[str, Check] = {
    "token": check_token,
    "base_url": check_base_url,
    "token_in": _one_of(*TOKEN_PLACES, echo=False),  # a token put here by mistake is not shown
    "files_url": check_files_url,
    "files_token": check_token,
    "platform_url": check_base_url,
    "platform_token": check_token,
}
DEFAULTS_KEYS: dict[str, Check] = {
    "mode": _one_of(*MODES),
    "output": check_output,
    "suffix": check_suffix,
    "metadata": _one_of(*METADATA),
    "preview": _one_of(*PREVIEWS),
}
PRESET_KEYS: dict[str, Check] = {"suffix": check_suffix}
_NAMED_SECTIONS = {"profiles": PROFILE_KEYS, "presets": PRESET_KEYS}
_SECTIONS = ("profiles", "defaults", "presets")
_DOWNLOAD = ("defaults", "download")
_MAX_COST = ("defaults", "max_cost_per_day")
_NOT_STRINGS = (_DOWNLOAD[1], _MAX_COST[1])


def is_secret(key: str) -> bool:
    """Whether a key, as `config get` takes it, names a token."""
    return key.rpartition(".")[2] in SECRETS and (key in SECRETS or key.startswith("profiles."))


def locate(key: str, *, profile: str) -> tuple[str, ...]:
    """The path of `key`, as `config set` takes it, in the file; UsageError suggests the closest keys."""
    parts = key.split(".")
    if key in PROFILE_KEYS:
        return ("profiles", profile, key)
    if len(parts) == 2 and parts[0] == "defaults" and parts[1] in (*DEFAULTS_KEYS, *_NOT_STRINGS):
        return ("defaults", parts[1])
    # A name may contain dots; the section before it and the key after it do not.
    if len(parts) > 2 and parts[-1] in _NAMED_SECTIONS.get(parts[0], ()):
        name = ".".join(parts[1:-1])
        try:
            check_profile_name(name)
        except ValueError as error:
            raise UsageError(f'The name in "{shortened(key)}" {error}.') from None
        return (parts[0], name, parts[-1])
    raise _unknown_key(key)


def parse_value(where: tuple[str, ...], text: str) -> str | bool | float:
    """The typed value of the key at `where` (see `locate`); ValueError with a predicate."""
    if where == _DOWNLOAD:
        return _one_of("true", "false")(text) == "true"
    if where == _MAX_COST:
        return check_amount(text)
    checks = DEFAULTS_KEYS if where[0] == "defaults" else _NAMED_SECTIONS[where[0]]
    value = checks[where[-1]](text)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode text") from None
    return value


def shortened(text: str) -> str:
    """A name as messages show it: its beginning if it is very long."""
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME // 2]}…"


def _unknown_key(key: str) -> UsageError:
    last = key.split(".")[-1]
    similar = [known for known in SETTABLE_KEYS if last == known.split(".")[-1]] or _similar(
        key, SETTABLE_KEYS
    )
    if similar:
        return UsageError(f'"{shortened(key)}" is not a setting; did you mean {" or ".join(similar)}?')
    return UsageError(f'"{shortened(key)}" is not a setting; the settings are {", ".join(SETTABLE_KEYS)}.')


def _similar(word: str, known: tuple[str, ...]) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(word[:_LONGEST_NAME], known, n=2, cutoff=0.6)


# --- The whole file.


def check_document(document: Mapping[str, Any], path: Path) -> None:
    """ConfigError with the dotted name of the first key in the file that is unknown or invalid."""
    for section, content in document.items():
        if section not in _SECTIONS:
            raise _unknown_in_file(path, (section,), _SECTIONS)
        check_table(content, path, section)
        if section == "defaults":
            _check_keys(content, path, (section,), DEFAULTS_KEYS)
            continue
        for name, table in content.items():
            if len(name) > _LONGEST_NAME:
                raise ConfigError(
                    f"In {path}, the name {section}.{shortened(name)} must have at most {_LONGEST_NAME} characters."
                )
            check_table(table, path, f"{section}.{name}")
            _check_keys(table, path, (section, name), _NAMED_SECTIONS[section])


def check_table(content: object, path: Path, name: str) -> None:
    """ConfigError unless `content`, which the file has under the dotted `name`, is a table."""
    if not isinstance(content, dict):
        raise ConfigError(f"In {path}, {shortened(name)} must be a table.")


def _check_keys(
    table: Mapping[str, Any], path: Path, where: tuple[str, ...], checks: Mapping[str, Check]
) -> None:
    for key, value in table.items():
        dotted = ".".join((*where, key))
        if (*where, key) == _DOWNLOAD:
            if not isinstance(value, bool):
                raise ConfigError(f"In {path}, {dotted} must be true or false.")
        elif (*where, key) == _MAX_COST:
            if not _is_amount(value):
                raise ConfigError(f"In {path}, {dotted} must be an amount in USD such as 5 or 0.50.")
        elif key not in checks:
            known = (*checks, *_NOT_STRINGS) if where == ("defaults",) else tuple(checks)
            raise _unknown_in_file(path, (*where, key), known)
        elif not isinstance(value, str):
            raise ConfigError(f"In {path}, {dotted} must be a string.")
        elif value or key not in SECRETS:  # an empty token is a placeholder
            try:
                checks[key](value)
            except ValueError as error:
                raise ConfigError(f"In {path}, {dotted} {error}.") from None


def _unknown_in_file(path: Path, where: tuple[str, ...], known: tuple[str, ...]) -> ConfigError:
    similar = _similar(where[-1], known)
    suggestion = f"did you mean {similar[0]}?" if similar else f"the known keys are {', '.join(known)}."
    return ConfigError(f"In {path}, {shortened('.'.join(where))} is unknown; {suggestion}")
