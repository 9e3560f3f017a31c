"""Where the files of a line go: a path inside the output directory."""

from __future__ import annotations

import itertools
import re
from pathlib import PurePosixPath

from mjcli.errors import UsageError
from mjcli.media.names import Target, check_template
from mjcli.prompt.parameters import quoted

_LONGEST_NAME = 255  # bytes that file systems allow


def check_output(output: str) -> None:
    """Refuse an `output` that leads out of the output directory, or is malformed. Raises `UsageError`."""
    shown = quoted(output)
    if output == "-":
        raise UsageError('"-" is standard output; output takes a path in the output directory.')
    if "://" in output:
        raise UsageError(f"{shown} is a URL; output takes a path in the output directory.")
    if output.startswith(("/", "\\", "~")) or re.match("[A-Za-z]:", output):
        raise UsageError(f"{shown} is not a relative path; output takes a path in the output directory.")
    if "\\" in output:
        raise UsageError(f'{shown} contains a backslash; write "/" between directories.')
    if not output.isprintable():
        raise UsageError(f"{shown} contains a control character.")
    parts = PurePosixPath(output).parts
    if ".." in parts:
        raise UsageError(f'{shown} contains ".."; output takes a path in the output directory.')
    if long := next((each for each in parts if len(each.encode()) > _LONGEST_NAME), None):
        raise UsageError(f"The name {quoted(long)} in output is longer than {_LONGEST_NAME} bytes.")
    check_template(output)


def fixed_file(output: str) -> str | None:
    """The one file that an `output` names, as a relative path; None for a directory or a name with placeholders."""
    path = PurePosixPath(output)
    return None if _names_directory(output) or "{" in output else str(path)


def inside(target: Target, output: str) -> Target:
    """The target of an `output` inside the directory of the batch's target; a directory keeps the template."""
    path = PurePosixPath(output)
    parts = list(path.parts)
    if _names_directory(output):
        template = [target.template]
    elif not path.suffix and "{ext}" not in path.name:
        template = [f"{parts.pop()}.{{ext}}"]
    else:
        template = [parts.pop()]
    literal = list(itertools.takewhile(lambda part: "{" not in part, parts))
    return target._replace(
        directory=target.directory.joinpath(*literal), template="/".join([*parts[len(literal) :], *template])
    )


def step_target(target: Target, step: str | None) -> Target:
    """The target of a step: a name that is fixed is completed with the actions that led to it."""
    if step is None or target.fixed is None:
        return target
    path = PurePosixPath(target.template)
    return target._replace(template=str(path.with_name(f"{path.stem}-{step.replace(' ', '-')}{path.suffix}")))


def _names_directory(output: str) -> bool:
    """Whether an `output` names a directory, as for --output: it ends with a slash, or has no suffix."""
    path = PurePosixPath(output)
    return output.endswith("/") or not path.name or not ("{" in path.name or path.suffix)
