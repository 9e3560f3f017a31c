"""The command tree: a subcommand's module is loaded when that subcommand is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from typer.main import get_command

from mjcli.errors import UsageError
from mjcli.options import MjGroup, version_option

# Subcommand -> module of mjcli.commands, in the order of the help.
COMMANDS = {
    "imagine": "imagine",
    "action": "action",
    "blend": "blend",
    "edit": "edit",
    "describe": "describe",
    "video": "video",
    "extend-video": "extend_video",
    "shorten": "shorten",
    "translate": "translate",
    "seed": "seed",
    "check": "check",
    "describe-task": "describe_task",
    "history": "history",
    "resume": "resume",
    "download": "download",
    "open": "open",
    "listen": "listen",
    "auth": "auth",
    "config": "config",
    "sandbox": "sandbox",
    "completion": "completion",
}


class Root(MjGroup):
    """`mj` itself."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS)
            raise UsageError(
                f"There is no command {args[0]!r}." + (f" Did you mean {' or '.join(near)}?" if near else ""),
                hint="mj --help",
            )
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            module = import_module(f"mjcli.commands.{COMMANDS[cmd_name]}")
            command = get_command(module.app)
            command.name = cmd_name
            self.commands[cmd_name] = command
        return self.commands[cmd_name]


def root() -> Root:
    """The whole tree, nothing of it loaded yet."""
    return Root(
        name="mj",
        help="Midjourney from the command line: see the picture being made, never pay for it twice.",
        params=[version_option()],
        rich_markup_mode=None,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
