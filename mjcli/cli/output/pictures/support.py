"""How a terminal shows pictures: by the variables that it sets, else by what it answers.

Facts about terminals are those of their own documentation; in doubt a picture is drawn as text, which cannot do harm.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from mjcli.cli.output.features import is_program

Method = Literal["kitty", "placeholders", "iterm", "sixel", "blocks", "off"]

_TMUX_SECONDS = 1.0
_KITTY = ("xterm-kitty", "xterm-ghostty")
_KITTY_WITH_PLACEHOLDERS = (0, 28)
_SIXEL_TERMS = ("foot", "contour", "mlterm", "yaft", "sixel")
_ITERM_PROGRAMS = {"iTerm.app": (3,), "WezTerm": (20200620,), "mintty": (2, 9, 4)}
_KONSOLE_WITH_SIXEL = 220400
# Terminals that are known to have no protocol for pictures, or none that is on by default.
_TEXT_PROGRAMS = ("Apple_Terminal", "vscode", "Hyper", "zed", "tmux")
_TRUE_COLOUR_TERMS = ("foot", "alacritty", "contour", "wezterm", *_KITTY)


class Support(NamedTuple):
    """How to show pictures. `colours` are those that a Sixel palette may have.

    `through_tmux` says that what the terminal gets must be wrapped, since tmux is between.
    """

    method: Method
    true_colour: bool = True
    colours: int = 256
    through_tmux: bool = False


OFF = Support("off")

Query = Callable[[], "Answer | None"]


class Answer(NamedTuple):
    """What a terminal answered about itself; `colours` are those of a Sixel palette, 0 if it did not say."""

    kitty: bool
    sixel: bool
    colours: int = 0


def support(
    choice: str, environ: Mapping[str, str], *, colour: bool, unicode: bool, query: Query = lambda: None
) -> Support:
    """How a terminal shows pictures, with `choice` one of `mjcli.settings.schema.PREVIEWS`.

    `colour` says that output may have colours, and `unicode` that the terminal's encoding has all characters.
    `query` asks the terminal, and returns None if it must not be asked.
    """
    if choice == "off":
        return OFF
    true_colour = has_true_colour(environ)
    inside_tmux = bool(environ.get("TMUX"))
    if choice == "auto":
        found = _in_tmux(environ) if inside_tmux else _by_environment(environ)
        if found is None:
            found = _by_answer(query())
        if found.method == "blocks" and not colour:
            return OFF
    elif choice == "sixel":
        found = Support("sixel", colours=_colours(None if inside_tmux else query()))
    else:
        named: dict[str, Method] = {"kitty": "placeholders" if inside_tmux else "kitty", "iterm": "iterm"}
        found = Support(named.get(choice, "blocks"), through_tmux=inside_tmux and choice in named)
    if found.method in ("blocks", "placeholders") and not unicode:
        return OFF
    return found._replace(true_colour=true_colour)


def _by_environment(environ: Mapping[str, str]) -> Support | None:
    """What the variables say; None if they say nothing."""
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    if any(map(environ.get, ("STY", "ZELLIJ", "INSIDE_EMACS"))) or term.startswith(
        ("screen", "tmux", "linux")
    ):
        return Support("blocks")
    if environ.get("XTERM_VERSION"):  # set by xterm, which passes on the variables of what started it
        return None
    if term in _KITTY or environ.get("KITTY_WINDOW_ID") or program == "ghostty":
        return Support("kitty")
    if is_program(environ, _ITERM_PROGRAMS) or environ.get("LC_TERMINAL") == "iTerm2":
        return Support("iterm")
    konsole = environ.get("KONSOLE_VERSION", "")
    if konsole.isdecimal() and len(konsole) < 10:
        return Support("sixel" if int(konsole) >= _KONSOLE_WITH_SIXEL else "blocks")
    if term.startswith(_SIXEL_TERMS) or environ.get("MLTERM"):
        return Support("sixel")
    if environ.get("WT_SESSION"):  # Sixel since 1.22, but it does not say its version
        return None
    if program in _TEXT_PROGRAMS or environ.get("VTE_VERSION") or not term.startswith("xterm"):
        return Support("blocks")
    return None


def _by_answer(answer: Answer | None) -> Support:
    if answer is not None and answer.kitty:
        return Support("kitty")
    if answer is not None and answer.sixel:
        return Support("sixel", colours=_colours(answer))
    return Support("blocks")


def _colours(answer: Answer | None) -> int:
    return min(max(answer.colours, 2), 256) if answer is not None and answer.colours else 256


def _in_tmux(environ: Mapping[str, str]) -> Support:
    """What tmux says of itself and of the terminal around it."""
    pane = ["-t", environ["TMUX_PANE"]] if environ.get("TMUX_PANE") else []
    wanted = "#{allow-passthrough} #{client_termname} #{client_termfeatures} #{client_termtype}"
    try:
        done = subprocess.run(
            ["tmux", "display-message", "-p", *pane, wanted],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TMUX_SECONDS,
            env=dict(environ),
        )
    except (OSError, subprocess.SubprocessError):
        return Support("blocks")
    passthrough, name, features, program, *_ = [*done.stdout.split(), "", "", "", ""]
    if passthrough in ("on", "all", "1", "2") and name in _KITTY and not _is_old_kitty(program):
        return Support("placeholders", through_tmux=True)
    return Support("sixel" if "sixel" in features.split(",") else "blocks")


def _is_old_kitty(program: str) -> bool:
    """Whether this is a Kitty that does not know placeholders, by its name and version: `kitty(0.26.5)`."""
    found = re.match(r"kitty\((\d{1,4})\.(\d{1,4})", program)
    return found is not None and (int(found[1]), int(found[2])) < _KITTY_WITH_PLACEHOLDERS


def has_true_colour(environ: Mapping[str, str]) -> bool:
    """Whether the terminal has more than 256 colours; tmux maps those that the one around it lacks."""
    if environ.get("COLORTERM") in ("truecolor", "24bit") or environ.get("WT_SESSION"):
        return True
    term = environ.get("TERM", "")
    return (
        term.endswith("-direct")
        or term.startswith(_TRUE_COLOUR_TERMS)
        or bool(environ.get("KITTY_WINDOW_ID"))
        or environ.get("TERM_PROGRAM") in (*_ITERM_PROGRAMS, "ghostty", "vscode", "zed", "Hyper")
    )


def wrapped(text: str) -> str:
    """Sequences for the terminal around tmux."""
    pieces = re.findall(r"\x1b[_\]P].*?(?:\x1b\\|\a)", text, re.DOTALL)
    return "".join("\x1bPtmux;" + piece.replace("\x1b", "\x1b\x1b") + "\x1b\\" for piece in pieces)
