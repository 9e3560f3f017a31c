"""What a terminal emulator supports beyond colours, judged by the variables that it sets, as other tools do.

A variable can outlive its terminal: a multiplexer or a terminal started from another one inherits it. In doubt a
feature is not used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

BELL = "\a"
_END = "\x1b\\"

# The versions of TERM_PROGRAM that show hyperlinks (https://github.com/jamestalmage/supports-hyperlinks).
_LINKS: Mapping[str, tuple[int, ...]] = {
    "iTerm.app": (3, 1),
    "WezTerm": (20200620,),
    "vscode": (1, 72),
    "mintty": (3,),
    "ghostty": (),
    "zed": (),
    "Hyper": (),
}
_LINKS_BY_TERM = ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm", "contour")
_VTE_WITH_LINKS = 5001  # 0.50.0 crashes

# The versions that show progress; to others, OSC 9 may be a notification
# (https://doc.rust-lang.org/cargo/reference/config.html#termprogressterm-integration).
_PROGRESS: Mapping[str, tuple[int, ...]] = {"ghostty": (), "WezTerm": (), "iTerm.app": (3, 6, 6)}
_VTE_WITH_PROGRESS = 8000


def shows_links(environ: Mapping[str, str]) -> bool:
    """Whether the terminal makes OSC 8 hyperlinks clickable; FORCE_HYPERLINK decides if it is set."""
    if forced := environ.get("FORCE_HYPERLINK"):
        return forced != "0"
    if _is_inside_another(environ) or environ.get("TERM_PROGRAM") == "Apple_Terminal":
        return False
    return (
        bool(environ.get("WT_SESSION") or environ.get("KITTY_WINDOW_ID") or environ.get("DOMTERM"))
        or environ.get("TERM", "").startswith(_LINKS_BY_TERM)
        or is_program(environ, _LINKS)
        or _vte(environ) >= _VTE_WITH_LINKS
    )


def shows_progress(environ: Mapping[str, str]) -> bool:
    """Whether the terminal shows the progress of OSC 9;4 in its tab or in the taskbar."""
    if _is_inside_another(environ) or _is_kitty(environ):
        return False
    if environ.get("WT_SESSION") or environ.get("ConEmuANSI") == "ON" or is_program(environ, _PROGRESS):
        return True
    # Started from one of these, another terminal has another TERM.
    if not environ.get("TERM", "").startswith("xterm") or environ.get("TERM_PROGRAM"):
        return False
    return bool(environ.get("KONSOLE_VERSION")) or _vte(environ) >= _VTE_WITH_PROGRESS


def progress_mark(percent: int | None) -> str:
    """What shows a percentage, or with None that something goes on."""
    return f"\x1b]9;4;3;0{_END}" if percent is None else f"\x1b]9;4;1;{percent}{_END}"


NO_PROGRESS = f"\x1b]9;4;0;0{_END}"


def notification(environ: Mapping[str, str], text: str) -> str:
    """What notifies a person of `text`, which is our own; the bell where nothing else is known to work."""
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM")
    if _is_inside_another(environ) or term == "dumb":
        return BELL
    if _is_kitty(environ):
        return f"\x1b]99;;{text}{_END}"
    if program == "iTerm.app":
        return f"\x1b]9;{text}{_END}"
    if program in ("ghostty", "WezTerm") or term.startswith(("foot", "xterm-ghostty")):
        return f"\x1b]777;notify;mj;{text}{_END}"
    return BELL


def _is_inside_another(environ: Mapping[str, str]) -> bool:
    """Whether a multiplexer or another simple terminal is between the program and what set the variables."""
    names = ("TMUX", "STY", "ZELLIJ", "XTERM_VERSION", "INSIDE_EMACS")
    return any(map(environ.get, names)) or environ.get("TERM", "").startswith(
        ("tmux", "screen", "linux", "eterm")
    )


def _is_kitty(environ: Mapping[str, str]) -> bool:
    return bool(environ.get("KITTY_WINDOW_ID")) or environ.get("TERM") == "xterm-kitty"


def is_program(environ: Mapping[str, str], versions: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether TERM_PROGRAM is one of these, of that version or a later one."""
    name = environ.get("TERM_PROGRAM", "")
    text = environ.get("TERM_PROGRAM_VERSION", "")
    version = tuple(map(int, re.findall(r"[0-9]{1,9}", text.partition("-")[0])))
    return name in versions and version >= versions[name]


def _vte(environ: Mapping[str, str]) -> int:
    version = environ.get("VTE_VERSION", "")
    return int(version) if re.fullmatch(r"[0-9]{1,9}", version) else 0
