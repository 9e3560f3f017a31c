"""The fields that a command's objects have, to check the name of `--field` before anything is done."""

from __future__ import annotations

from mjcli.cli.output.text import visible
from mjcli.errors import UsageError

# Of a failure, which any command can print.
_FAILURE = ("success", "error", "task_id", "trace_id")
# Of a result, an event or a record; the service may send others.
_RESULT = (
    *_FAILURE,
    "image_id",
    "image_url",
    "image_width",
    "image_height",
    "raw_image_url",
    "raw_image_width",
    "raw_image_height",
    "sub_image_urls",
    "progress",
    "actions",
    "video_id",
    "video_urls",
    "descriptions",
    "prompts",
    "content",
    "seed",
    "files",
    "steps",
    "timelapse",
    "event",
    "confirmed",
    "id",
    "type",
    "request",
    "response",
    "created_at",
    "started_at",
    "finished_at",
    "elapsed",
    "duration",
)
# Of a dry run, and of a prompt that is refused.
_REQUEST = ("curl", "method", "url", "accept", "body", "prompt", "findings")
_SAVED = ("key", "value", "config_file")
_HISTORY = (
    *("ref", "id", "state", "kind", "action", "prompt", "task_id", "image_id", "profile", "host"),
    *("created_at", "sent_at", "accepted_at", "ended_at", "request", "result", "error"),
    *("files", "files_due", "steps", "parent_image", "key", "tags", "starred"),
)
_MARKED = ("success", "id", "task_id", "tags", "starred")
#: The commands whose objects are their own, and the fields of these.
_OWN: dict[str, tuple[str, ...]] = {
    "mj history": _HISTORY,
    "mj history show": (*_HISTORY, "parents"),
    "mj history delete": ("success", "deleted", "task_id", "key", "files"),
    "mj tag": (*_MARKED, "tag", "jobs"),
    "mj star": _MARKED,
    "mj balance": ("credits", "usd", "service_credits", "global_credits", "usd_per_credit", "applications"),
    "mj spend": ("by", "name", "jobs", "usd", "charged", "estimated", "unpriced"),
    "mj check": ("success", "prompt", "parts", "findings"),
    "mj open": ("file", "files", "link", "task_id", "image_id"),
    "mj show": ("file", "link", "task_id", "image_id", "quadrant"),
    "mj gallery": ("address", "file", "pictures"),
    "mj config path": ("path",),
    "mj config list": ("key", "value", "source"),
    "mj config get": ("key", "value", "source"),
    "mj config set": _SAVED,
    "mj config unset": ("key", "removed", "config_file"),
    "mj auth login": ("profile", "token", "files_token", "platform_token", "config_file", "check"),
    "mj auth logout": ("profile", "removed", "config_file"),
    "mj auth status": (
        *("profile", "base_url", "token_in", "token", "token_source"),
        *("files_url", "files_token", "files_token_source"),
        *("platform_url", "platform_token", "platform_token_source"),
    ),
    "mj doctor": ("check", "status", "message", "next", "hints"),
    "mj sandbox": ("base_url", "token"),
}
_CLOSENESS = 0.84  # of difflib; a field that is as close to a known one is a slip


def known_fields(command: str) -> tuple[str, ...]:
    """The fields that the objects of a command (`mj history`) usually have."""
    return _OWN.get(command, _RESULT)


def check_field(name: str, command: str) -> None:
    """Refuse a field that the objects of a command (`mj history`) cannot have. Raises `UsageError`.

    The service's objects are open: of their fields only a slip of a known one is refused.
    """
    known = _OWN.get(command)
    if known is None:
        _check_result(name)
    elif name not in known and name not in _FAILURE:
        raise UsageError(f'There is no field "{visible(name)}"; the fields are {", ".join(known)}.')


def _check_result(name: str) -> None:
    if name in _RESULT or name in _REQUEST:
        return
    from difflib import get_close_matches

    lower = {each.lower().replace("-", "_"): each for each in (*_RESULT, *_REQUEST)}
    near = get_close_matches(name.lower().replace("-", "_"), lower, n=1, cutoff=_CLOSENESS)
    if near:
        meant = lower[near[0]]
        raise UsageError(
            f'There is no field "{visible(name)}"; did you mean "{meant}"?', hint=f"--field {meant}"
        )
