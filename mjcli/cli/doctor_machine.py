"""The checks of `mj doctor` that concern the installation, the terminal and the shell."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mjcli import __version__
from mjcli.cli import shell as shells
from mjcli.cli.hints import command
from mjcli.errors import ExitCode

if TYPE_CHECKING:
    from mjcli.cli.output.sink import Output

OK, WARNING, PROBLEM = "ok", "warning", "problem"

_NARROW = 40  # columns

# The line that a shell reads at its start, or the file that it looks for, below HOME.
_STARTUP_FILES = {
    "bash": (".bashrc", ".bash_profile", ".profile"),
    "zsh": (".zshrc", ".zprofile"),
    "fish": (".config/fish/config.fish",),
}
_SCRIPTS = {
    "bash": (
        "~/.local/share/bash-completion/completions/mj",
        "~/.local/share/bash-completion/completions/mj.bash",
        "/usr/share/bash-completion/completions/mj",
        "/usr/local/share/bash-completion/completions/mj",
        "/etc/bash_completion.d/mj",
        "/opt/homebrew/etc/bash_completion.d/mj",
    ),
    "zsh": (
        "/usr/share/zsh/site-functions/_mj",
        "/usr/share/zsh/vendor-completions/_mj",
        "/usr/local/share/zsh/site-functions/_mj",
        "/opt/homebrew/share/zsh/site-functions/_mj",
        "~/.zfunc/_mj",
    ),
    "fish": (
        "~/.config/fish/completions/mj.fish",
        "/usr/share/fish/vendor_completions.d/mj.fish",
        "/usr/local/share/fish/vendor_completions.d/mj.fish",
        "/opt/homebrew/share/fish/vendor_completions.d/mj.fish",
    ),
}
_INSTALL = {
    "bash": "echo 'source <(mj completion bash)' >> ~/.bashrc",
    "zsh": "echo 'source <(mj completion zsh)' >> ~/.zshrc",
    "fish": "mj completion fish > ~/.config/fish/completions/mj.fish",
}
_IMAGES = {
    "kitty": "images (kitty)",
    "placeholders": "images (kitty, through tmux)",
    "iterm": "images (iTerm)",
    "sixel": "images (Sixel)",
    "blocks": "images as half blocks",
    "off": "no images",
}


class Finding(NamedTuple):
    """The result of one check."""

    check: str
    status: str
    message: str
    commands: tuple[str, ...] = ()
    """What to type next."""
    hints: tuple[str, ...] = ()
    """What else helps, in words."""
    exit_status: int = ExitCode.OK
    """Of a problem: the exit status of commands that run into it."""


def version() -> Finding:
    """The versions of mj and of what it runs on."""
    system = f"{platform.system()} {platform.machine()}"
    return Finding("version", OK, f"mj {__version__}, Python {platform.python_version()}, {system}")


def terminal(output: Output, preview: str) -> Finding:
    """Colours, encoding, width and images of the terminal behind standard output. `preview` is the setting."""
    from mjcli.cli.output.pictures.show import support_of

    encoding = (output.stdout.encoding or "unknown").upper().replace("_", "-")
    wide = output.width(output.stdout)
    colours = "colours" if output.colours(output.stdout) else "no colours"
    name = f"{wide} columns" if output.stdout_is_terminal else "not a terminal"
    text = f"{name}, {colours}, {encoding}, {_IMAGES[support_of(output, output.stdout, preview).method]}"
    if encoding.replace("-", "") != "UTF8":
        line = "set PYTHONUTF8=1" if sys.platform == "win32" else "export LC_ALL=C.UTF-8"
        return Finding("terminal", WARNING, f"{text}: some characters cannot be shown", (line,))
    if output.stdout_is_terminal and wide < _NARROW:
        hint = f"make the window at least {_NARROW} columns wide"
        return Finding("terminal", WARNING, text, hints=(hint,))
    return Finding("terminal", OK, text)


def completion(environ: Mapping[str, str]) -> Finding:
    """Whether the user's shell completes the commands of mj."""
    shell = Path(environ.get("SHELL", "")).name
    if shell not in _SCRIPTS:
        what = f'unknown shell "{shell}"' if shell else "unknown shell"
        return Finding("completion", OK, f"not checked: {what}", (command("completion", "--help"),))
    home = environ.get("HOME", "")
    scripts = [Path(each.replace("~", home, 1)) for each in _SCRIPTS[shell] if home or each[0] != "~"]
    startup = [Path(home) / each for each in _STARTUP_FILES[shell]] if home else []
    if any(map(_is_file, scripts)) or any(map(_loads_completion, startup)):
        return Finding("completion", OK, f"installed for {shell}")
    return Finding("completion", OK, f"not installed for {shell} (optional)", (_INSTALL[shell],))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _loads_completion(path: Path) -> bool:
    try:
        if not path.is_file():  # reading a FIFO would wait
            return False
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any("mj completion" in line for line in lines if not line.lstrip().startswith("#"))


def pillow() -> Finding:
    """Whether Pillow is installed, which is needed for most of what shows or cuts images."""
    if find_spec("PIL") is None:
        line = f"{shells.quoted(sys.executable)} -m pip install pillow"
        return Finding(
            "pillow", OK, "not installed (optional, for --split, previews and the gallery)", (line,)
        )
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    try:
        number = version_of("pillow")
    except PackageNotFoundError:
        number = "of an unknown version"
    return Finding("pillow", OK, f"installed ({number})")
