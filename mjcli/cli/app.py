"""The command tree; the module of a subcommand is loaded when that subcommand is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mjcli.cli.parser import MjGroup, build_command, version_option

# Subcommand -> its module in mjcli.cli.commands, in the order of the help.
COMMANDS = {
    "imagine": "imagine",
    "upscale": "upscale",
    "vary": "vary",
    "reroll": "reroll",
    "zoom": "zoom",
    "pan": "pan",
    "action": "action",
    "batch": "batch",
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
    "tasks": "tasks",
    "spend": "spend",
    "balance": "balance",
    "history": "history",
    "tag": "tag",
    "star": "star",
    "resume": "resume",
    "download": "download",
    "open": "open",
    "show": "show",
    "gallery": "gallery",
    "listen": "listen",
    "auth": "auth",
    "config": "config",
    "doctor": "doctor",
    "sandbox": "sandbox",
    "completion": "completion",
}


class Root(MjGroup):
    """`mj` itself."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            module = import_module(f"mjcli.cli.commands.{COMMANDS[cmd_name]}")
            command = build_command(module.app)
            command.name = cmd_name
            self.commands[cmd_name] = command
        return self.commands[cmd_name]


def root() -> Root:
    """The root command; its subcommands are not loaded yet."""
    return Root(
        name="mj",
        help="Create images with Midjourney from the command line.",
        params=[version_option()],
        rich_markup_mode=None,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
