"""`mj balance`: the credit that is left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from mjcli.cli.parser import MjCommand, new_app
from mjcli.errors import NoTokenError, Remedy

if TYPE_CHECKING:
    from mjcli.api.platform import Application, Platform
    from mjcli.cli.context import Context

app = new_app()


@app.command(
    "balance",
    cls=MjCommand,
    epilog="""mj balance
# In a script: the credits alone
mj balance -q
mj balance --field usd""",
)
def balance(ctx: typer.Context) -> None:
    """Show the remaining credit of the account.

    The quota of the service is used first, then the global balance. USD are shown if the platform says what a
    credit costs. This needs a platform token, which mj auth login --platform saves.
    """
    from mjcli.cli.cost import usd_per_credit

    context: Context = ctx.obj
    context.output.check_field(ctx.command_path)
    found = _platform(context).applications()
    quota, common = _remaining(found, is_global=False), _remaining(found, is_global=True)
    if not all(each.allows_global for each in found if not each.is_global):
        common = 0.0
    rate, total = usd_per_credit(found), quota + common
    document = {
        "credits": total,
        "usd": None if rate is None else round(total * rate, 6),
        "service_credits": quota,
        "global_credits": common,
        "usd_per_credit": rate,
        "applications": [dict(each.document) for each in found],
    }
    people = [
        ("service quota", _shown(quota, rate)),
        ("global balance", _shown(common, rate)),
        ("total", _shown(total, rate)),
    ]
    context.output.answer(document, people, [_number(total)])


def _platform(context: Context) -> Platform:
    """The management API. Raises `NoTokenError` without a platform token."""
    platform, profile = context.platform, context.settings.profile.value
    if platform is None:
        raise NoTokenError(
            f'No platform token for profile "{profile}"; the API token does not give access to the balance.',
            remedy=Remedy.LOG_IN_PLATFORM,
            profile=profile,
        )
    return platform


def _remaining(found: list[Application], *, is_global: bool) -> float:
    now = time.time()
    amounts = [each.remaining or 0.0 for each in found if each.is_global is is_global and each.usable(now)]
    return round(sum(amounts), 6)


def _shown(amount: float, rate: float | None) -> str:
    usd = "" if rate is None else f" ({amount * rate:.2f} USD)"
    return f"{_number(amount)} credits{usd}"


def _number(amount: float) -> str:
    return f"{amount:.4f}".rstrip("0").rstrip(".")
