"""Features of terminals that are used only where they are known to work."""

from __future__ import annotations

import pytest

from mjcli.cli.output.features import BELL, notification, shows_links, shows_progress

XTERM = {"TERM": "xterm-256color"}
VTE = {**XTERM, "VTE_VERSION": "8003"}


@pytest.mark.parametrize(
    "environ",
    [
        {"WT_SESSION": "c0ffee"},
        {**XTERM, "WT_SESSION": "c0ffee"},
        {**XTERM, "VTE_VERSION": "7006"},
        {"TERM": "xterm-kitty"},
        {**XTERM, "KITTY_WINDOW_ID": "1"},
        {"TERM": "alacritty"},
        {"TERM": "foot"},
        {**XTERM, "TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.5.0"},
        {**XTERM, "TERM_PROGRAM": "vscode", "TERM_PROGRAM_VERSION": "1.106.0-insider"},
        {**XTERM, "TERM_PROGRAM": "WezTerm", "TERM_PROGRAM_VERSION": "20240203-110809-5046fc22"},
        {**XTERM, "TERM_PROGRAM": "ghostty"},
        {**XTERM, "FORCE_HYPERLINK": "1"},
        {**XTERM, "TMUX": "/tmp/tmux-0/default,1,0", "FORCE_HYPERLINK": "1"},
    ],
)
def test_known_terminals_show_links(environ: dict[str, str]) -> None:
    assert shows_links(environ)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        XTERM,
        {**XTERM, "VTE_VERSION": "5000"},
        {**XTERM, "VTE_VERSION": "x"},
        {**XTERM, "VTE_VERSION": "9" * 5000},
        {**XTERM, "TERM_PROGRAM": "Apple_Terminal", "VTE_VERSION": "7006"},
        {**XTERM, "TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "2.9"},
        {**XTERM, "TERM_PROGRAM": "iTerm.app"},
        {**VTE, "FORCE_HYPERLINK": "0"},
        {**VTE, "TMUX": "/tmp/tmux-0/default,1,0"},
        {**VTE, "STY": "1.pts"},
        {**VTE, "TERM": "screen-256color"},
        {**VTE, "TERM": "linux"},
        {**VTE, "XTERM_VERSION": "XTerm(390)"},
        {**VTE, "INSIDE_EMACS": "29.1"},
    ],
)
def test_other_terminals_and_multiplexers_get_whole_links(environ: dict[str, str]) -> None:
    assert not shows_links(environ)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"WT_SESSION": "c0ffee"}, True),
        ({"ConEmuANSI": "ON"}, True),
        ({**XTERM, "TERM_PROGRAM": "ghostty"}, True),
        ({**XTERM, "TERM_PROGRAM": "WezTerm"}, True),
        ({**XTERM, "TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.6.6"}, True),
        ({**XTERM, "KONSOLE_VERSION": "250801"}, True),
        (VTE, True),
        # To these, OSC 9 is a notification, or unknown.
        ({**XTERM, "TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.5.14"}, False),
        ({**VTE, "KITTY_WINDOW_ID": "1"}, False),
        ({**VTE, "TERM": "foot"}, False),
        ({**VTE, "TERM_PROGRAM": "vscode"}, False),
        ({**XTERM, "KONSOLE_VERSION": "250801", "TMUX": "x"}, False),
        ({**XTERM, "VTE_VERSION": "7006"}, False),
        ({"ConEmuANSI": "OFF"}, False),
        (XTERM, False),
        ({}, False),
    ],
)
def test_progress_is_shown_outside_the_text_only_where_it_is_safe(
    environ: dict[str, str], expected: bool
) -> None:
    assert shows_progress(environ) is expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (XTERM, BELL),
        ({}, BELL),
        ({"WT_SESSION": "c0ffee"}, BELL),
        ({"TERM": "xterm-kitty"}, "\x1b]99;;mj: done\x1b\\"),
        ({**XTERM, "TERM_PROGRAM": "iTerm.app"}, "\x1b]9;mj: done\x1b\\"),
        ({**XTERM, "TERM_PROGRAM": "ghostty"}, "\x1b]777;notify;mj;mj: done\x1b\\"),
        ({"TERM": "foot"}, "\x1b]777;notify;mj;mj: done\x1b\\"),
        ({"TERM": "xterm-kitty", "TMUX": "x"}, BELL),
        ({"TERM": "dumb", "KITTY_WINDOW_ID": "1"}, BELL),
    ],
)
def test_a_notification_is_the_bell_unless_more_is_known_to_work(
    environ: dict[str, str], expected: str
) -> None:
    assert notification(environ, "mj: done") == expected
