"""A program that shows a board, as instructed by the lines that it reads from a pipe, one JSON object each."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from mjcli.cli.output.board import Board, Counts
from mjcli.cli.output.sink import Mode, Output, Streams
from mjcli.cli.signals import leave_terminal_when_stopped, stay_wakeable
from tests.support.program import Mj


class BoardProgram(Mj):
    """Runs this module where others run `mj`; it reads the pipe `orders`."""

    def __init__(self, mj: Mj) -> None:
        vars(self).update(vars(mj))
        self.orders = self.home / "orders"
        os.mkfifo(self.orders)

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "tests.support.board", str(self.orders), *map(str, arguments)]


class Orders:
    """Tells a `BoardProgram` what to show; the program ends with it."""

    def __init__(self, program: BoardProgram) -> None:
        self._pipe = program.orders.open("w", buffering=1)  # waits for the program

    def __enter__(self) -> Orders:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()

    def counts(self, **counts: object) -> None:
        self._pipe.write(json.dumps({"counts": counts}) + "\n")

    def do(self, what: str, text: str) -> None:
        """`add`, `notice` or `warning` of the board, `text` of the output."""
        self._pipe.write(json.dumps({what: text}) + "\n")


def main(path: str, *options: str) -> None:
    stay_wakeable()
    leave_terminal_when_stopped()
    mode = Mode(quiet="-q" in options, no_color="--no-color" in options, json="--json" in options)
    output = Output(Streams(sys.stdin, sys.stdout, sys.stderr), os.environ, mode)
    with Path(path).open() as orders, Board(output, Counts(100, left=100)) as board:
        for line in orders:
            ((what, value),) = json.loads(line).items()
            _obey(output, board, what, value)
    output.text("the end\n")


def _obey(output: Output, board: Board, what: str, value: Any) -> None:
    if what == "counts":
        board.update(Counts(**value))
    elif what == "text":
        output.text(f"{value}\n")
    else:
        getattr(board, what)(value)


if __name__ == "__main__":
    main(*sys.argv[1:])
