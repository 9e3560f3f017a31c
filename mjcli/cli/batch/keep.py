"""Where the files of a batch are kept: in a directory of this machine, or in a store that several machines share."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from mjcli.cli.batch.lines import line_target
from mjcli.cli.batch.target import step_target
from mjcli.cli.batch.work import Piece, is_of_the_line
from mjcli.cli.finished import FinishedJob
from mjcli.cli.hints import resume
from mjcli.cli.save import check_names, target_record
from mjcli.errors import ApiError, DownloadError, LimitReached, MjError, NetworkError, StoreError
from mjcli.jobs.order import Order
from mjcli.jobs.pace import Stopped
from mjcli.media.place import check_writable

if TYPE_CHECKING:
    from mjcli.cli.output.sink import Output
    from mjcli.cli.save import Saver
    from mjcli.jobs.account_tasks import Account
    from mjcli.jobs.batch import Ended
    from mjcli.jobs.claims import Taken
    from mjcli.jobs.gate import ClaimGate
    from mjcli.jobs.queries import ItemRow
    from mjcli.media.names import Target
    from mjcli.media.store_files import StoreTarget


class Saved(NamedTuple):
    """The files of a job, and what went wrong with others."""

    files: Sequence[str] = ()
    problem: DownloadError | None = None


class Keep(Protocol):
    """Where the files of a batch are kept. `save` and `ended` may be called in any thread."""

    #: For people; None if no files are kept.
    place: str | None
    #: What other machines have done, by item.
    elsewhere: Mapping[str, Taken]

    def target(self, piece: Piece) -> Target | None:
        """Where the files of a piece go, as far as its name is known; None if it has none."""

    def record(self, piece: Piece) -> Mapping[str, Any] | None:
        """The same for the ledger."""

    def check(self, order: Order, piece: Piece) -> None:
        """Refuse names that are in use. Raises `NameInUse`, `ConfigError`."""

    def lacks_files(self, row: ItemRow, piece: Piece) -> bool:
        """Whether files of a job that is done are still to be saved."""

    def save(self, saver: Saver, piece: Piece, ended: Ended) -> Saved:
        """Save the files of a job that is done."""

    def failed(self, piece: Piece, ended: Ended, error: MjError) -> None:
        """Note that a job was not done."""


class LocalKeep:
    """Files in a directory; with `target` None, nothing is saved."""

    def __init__(self, target: Target | None, hide: Callable[[str], str], *, force: bool) -> None:
        self._target, self._hide, self._force = target, hide, force
        self.place: str | None = str(target.directory) if target is not None else None
        self.elsewhere: Mapping[str, Taken] = {}
        self._checked: set[Path] = {target.directory} if target is not None else set()

    def target(self, piece: Piece) -> Target | None:
        """Where the files of a piece go."""
        if self._target is None:
            return None
        return step_target(line_target(self._target, piece.line), piece.step)

    def record(self, piece: Piece) -> Mapping[str, Any] | None:
        """The same for the ledger."""
        return target_record(self.target(piece), force=self._force)

    def check(self, order: Order, piece: Piece) -> None:
        """Refuse names that are in use."""
        target = self.target(piece)
        if target is not None:
            if target.directory not in self._checked:
                check_writable(target)
                self._checked.add(target.directory)
            split = order.body.get("split_images")
            check_names(order, target, self._hide, force=self._force, split_images=split)

    def lacks_files(self, row: ItemRow, piece: Piece) -> bool:
        """Whether files were never saved, are gone, or are in another directory."""
        target = self.target(piece)
        return target is not None and (row.files_due > 0 or not _has_files(row, target.directory))

    def save(self, saver: Saver, piece: Piece, ended: Ended) -> Saved:
        """Save the files of a job that is done."""
        assert ended.outcome is not None
        assert ended.order is not None
        found = Saved()

        def show(_job: FinishedJob, files: list[str], problem: DownloadError | None) -> None:
            nonlocal found
            found = Saved(files, problem)

        job = FinishedJob.of_outcome(ended.order, ended.outcome, ended.item.job)
        retry = resume(ended.outcome.job or "")
        saver.finish(job, self.target(piece), force=self._force, retry=retry, show=show)
        return found

    def failed(self, piece: Piece, ended: Ended, error: MjError) -> None:
        """Nothing: the ledger has it."""


class SharedKeep:
    """Files in an object store, which also says which machine runs which line."""

    def __init__(
        self,
        store: StoreTarget,
        template: Target,
        output: Output,
        batch: str,
        *,
        sandbox: bool,
        retry: Sequence[Any],
    ) -> None:
        from mjcli.jobs.claims import Claims

        self._store, self._template, self._output, self._retry = store, template, output, retry
        self._claims = Claims(store.store, batch, [], sandbox=sandbox, hide=output.secret.hide)
        self._gates: dict[str, ClaimGate] = {}  # by profile
        self.place: str | None = store.store.url
        #: The newest attempts at all items, by any machine, when this run began.
        self.elsewhere: Mapping[str, Taken] = {}
        self._names: set[str] = set()  # of the objects in the store

    def read(self) -> None:
        """Read what all machines have done so far. Raises `StoreError`."""
        self.elsewhere = {each.item: each for each in self._claims.results()}
        self._names = set(self._store.store.list(""))

    def gate(self, profile: str, account: Account) -> ClaimGate:
        """What the jobs of a profile pass before they are sent."""
        from mjcli.jobs.gate import ClaimGate

        self._claims.include(account)
        gate = ClaimGate(self._claims, account.fingerprint, retry=self._retry, warn=self._output.warning)
        self._gates[profile] = gate
        return gate

    def target(self, piece: Piece) -> Target | None:
        """The names of the files of a piece, below the prefix of the store."""
        return step_target(line_target(self._template, piece.line), piece.step)

    def record(self, piece: Piece) -> Mapping[str, Any] | None:
        """That the store decides who sends the job, so that nothing else does."""
        return {"store": self.place}

    def check(self, order: Order, piece: Piece) -> None:
        """Refuse names that are in use."""
        target = self.target(piece)
        if target is None:
            return
        if target.fixed is not None:
            self._store.check_free([target.fixed.relative_to(self._template.directory).as_posix()])
        else:
            from mjcli.media.store_files import check_name

            check_name((target.directory.relative_to(self._template.directory) / "x").as_posix())

    def lacks_files(self, row: ItemRow, piece: Piece) -> bool:
        """Whether no result of the job is in the store, or a file of it is not there any more."""
        known = self.elsewhere.get(row.item)
        if known is None or known.result is None or known.state != "done":
            return True
        return not self._names.issuperset(known.result.files)

    def save(self, saver: Saver, piece: Piece, ended: Ended) -> Saved:
        """Save the files of a job that is done, then its result."""
        assert ended.outcome is not None
        outcome = ended.outcome
        with tempfile.TemporaryDirectory(prefix="mj-") as directory:
            root = Path(directory)
            inside = self._template._replace(directory=root)
            local = LocalKeep(inside, self._output.secret.hide, force=False)
            found = local.save(saver.without_ledger(), piece, ended)
            if found.problem is not None:
                return found
            try:
                stored = [
                    self._store.save(Path(each).relative_to(root).as_posix(), Path(each))
                    for each in found.files
                ]
                for each, file in zip(found.files, stored, strict=True):
                    if (beside := Path(f"{each}.json")).exists():  # its metadata
                        self._store.save(f"{file.key}.json", beside)
                for notice in (each for file in stored for each in file.notices):
                    self._output.notice(notice)
                self._gates[ended.account.name].finish(
                    piece.item,
                    outcome.uuid,
                    "done",
                    task_id=outcome.task_id,
                    image_id=outcome.result.id,
                    files=[each.key for each in stored],
                    cost=ended.order.estimate if ended.order is not None else None,
                )
            except StoreError as error:
                problem = DownloadError(
                    f"The job is done and billed once, but its files are not in the store: {error.message}",
                    task_id=outcome.task_id,
                )
                return Saved([], problem)
        return Saved([each.url for each in stored])

    def failed(self, piece: Piece, ended: Ended, error: MjError) -> None:
        """Record the failure of a job for all machines, or let any of them send one that was not accepted."""
        gate = self._gates[ended.account.name]
        uuid = ended.item.job.uuid if ended.item.job is not None else None
        try:
            if isinstance(error, ApiError) and (error.accepted or is_of_the_line(error)):
                code = {"code": error.code, "message": error.message}
                gate.finish(piece.item, uuid, "failed", task_id=error.task_id, error=code)
            elif isinstance(error, (ApiError, NetworkError, LimitReached, Stopped)):
                gate.release(piece.item, uuid)
        except MjError as problem:
            self._output.warning(problem.message)


def _has_files(row: ItemRow, directory: Path) -> bool:
    """Whether the files that were saved for a job still exist, and are in this directory or below it."""
    try:
        files = [Path(each) for each in json.loads(row.files)]
        inside = any(each.is_relative_to(directory) for each in files)
        return inside and all(each.exists() for each in files)
    except (ValueError, TypeError, OSError):
        return False
