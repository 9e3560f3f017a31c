"""The shell in which a suggested command is typed, and how that shell quotes words and variables."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from enum import Enum, auto


class Shell(Enum):
    """A family of shells with the same quoting."""

    SH = auto()
    CMD = auto()
    POWERSHELL = auto()


def detect(environ: Mapping[str, str], system: str = os.name) -> Shell:
    """The shell that started this process, as far as the environment tells.

    On Windows, SHELL and MSYSTEM come from a POSIX shell (Git Bash); cmd sets PROMPT, PowerShell does not.
    """
    if system != "nt" or environ.get("SHELL") or environ.get("MSYSTEM"):
        return Shell.SH
    return Shell.POWERSHELL if environ.get("PSModulePath") and not environ.get("PROMPT") else Shell.CMD


#: The shell of this process.
SHELL = detect(os.environ)


def can_be_typed(word: str, shell: Shell = SHELL) -> bool:
    """Whether a terminal shows the word exactly as it is and the shell passes it on unchanged."""
    if not word.isprintable():
        return False
    # Windows PowerShell 5 loses empty words, double quotes and the backslash before a closing quote.
    return shell is not Shell.POWERSHELL or bool(word and '"' not in word and not word.endswith("\\"))


def quoted(word: str, shell: Shell = SHELL) -> str:
    """A word as people quote it: bare if it is plain, else in double quotes where these are enough."""
    if shell is Shell.CMD:
        return _quoted_for_cmd(word)
    if shell is Shell.POWERSHELL:
        return word if _BARE.fullmatch(word) else _quoted_for_powershell(word)
    single = shlex.quote(word)
    if single == word:
        return f"'{word}'" if word.startswith("=") else word  # zsh replaces =name by a path
    plain = word and not set(word) & set('"$`!\\') and word.isprintable()
    return f'"{word}"' if plain else single


_BARE = re.compile(r"(?:--?)?[A-Za-z0-9_][A-Za-z0-9_-]*|[A-Za-z0-9_][A-Za-z0-9_./:\\-]*")


def _quoted_for_powershell(word: str) -> str:
    # PowerShell treats curly single quotes like straight ones.
    return "'" + re.sub("(['\u2018-\u201b])", r"\1\1", word) + "'"


def _quoted_for_cmd(word: str) -> str:
    if _BARE.fullmatch(word):
        return word
    # Programs split their own command line: \" is a quote, and backslashes before a quote are doubled.
    inner = re.sub(r'(\\*)"', r'\1\1\\"', word)
    line = '"' + re.sub(r"(\\+)$", r"\1\1", inner) + '"'
    # cmd expands %NAME% even between quotes, and takes an inner quote for the closing one.
    return re.sub(r'([()%!^"<>&|])', r"^\1", line) if set(word) & set('"%!') else line


def with_variables(line: str, variables: Mapping[str, str], shell: Shell = SHELL) -> str:
    """A command that runs with these environment variables."""
    if shell is Shell.CMD:
        return "".join(f'set "{name}={value}" && ' for name, value in variables.items()) + line
    if shell is Shell.POWERSHELL:
        values = {name: _quoted_for_powershell(value) for name, value in variables.items()}
        return "".join(f"$env:{name} = {value}; " for name, value in values.items()) + line
    return "".join(f"{name}={quoted(value, shell)} " for name, value in variables.items()) + line
