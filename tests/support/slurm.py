"""Slurm with one node, which is this machine: started for a test with a private configuration, and stopped after it.

The daemons run as the current user, root or not, on free ports of the loopback interface, and without Munge.
"""

from __future__ import annotations

import os
import pwd
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.engines import installed

STARTED = 30.0  # seconds for the daemons to start
ENDED = 120.0  # seconds for a job

_OVER = {"COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL", "BOOT_FAIL", "OUT_OF_MEMORY"}

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
SlurmctldPort={control}
SlurmdPort={node}
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd.pid
SlurmctldLogFile={directory}/slurmctld.log
SlurmdLogFile={directory}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_min_interval=10000
MinJobAge=300
ReturnToService=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP OverSubscribe=FORCE:4
"""


@dataclass
class Slurm:
    """A running cluster."""

    environment: dict[str, str]
    directory: Path

    def _ask(self, *words: str) -> str:
        command = [installed(words[0]), *words[1:]]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True).stdout

    @property
    def is_ready(self) -> bool:
        """Whether the node may run jobs."""
        return self._ask("sinfo", "--noheader", "--format=%T").strip() == "idle"

    @property
    def logs(self) -> str:
        """The last lines of the daemons' logs, for a test that fails."""
        return "".join(
            f"\n{path.name}:\n{path.read_text()[-2000:]}" for path in sorted(self.directory.glob("*.log"))
        )

    def run(self, script: Path, *options: str, environment: Mapping[str, str], cwd: Path) -> None:
        """Run a batch script, which may be an array, to its end; its tasks must end with status 0."""
        done = subprocess.run(
            [installed("sbatch"), "--parsable", *options, str(script)],
            env={**environment, "SLURM_CONF": self.environment["SLURM_CONF"]},
            cwd=cwd,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"sbatch: {done.stderr}{self.logs}"
        self.wait(done.stdout.strip(), cwd)

    def wait(self, job: str, cwd: Path) -> None:
        """Wait for all tasks of a job, which must end with status 0; their output is in `cwd`."""
        deadline = time.monotonic() + ENDED
        while not (states := self._states(job)) or not states <= _OVER:
            assert time.monotonic() < deadline, f"the job does not end: {states}{self.logs}"
            time.sleep(0.1)  # sbatch --wait would take up to ten seconds
        output = "".join(path.read_text() for path in sorted(cwd.glob("slurm-*.out")))
        assert states == {"COMPLETED"}, f"{states}: {output}{self.logs}"

    def _states(self, job: str) -> set[str]:
        """The states of the tasks of a job."""
        return set(
            re.findall(r"\bJobState=([A-Z_]+)", self._ask("scontrol", "--oneliner", "show", "job", job))
        )


@contextmanager
def started_slurm(directory: Path) -> Iterator[Slurm]:
    """Run a cluster whose files are in a directory."""
    daemons = [installed("slurmctld"), installed("slurmd")]
    host = socket.gethostname().partition(".")[0]
    control, node = _free_ports(2)
    for name in ("state", "spool"):
        (directory / name).mkdir(parents=True)
    configuration = directory / "slurm.conf"
    user = pwd.getpwuid(os.getuid()).pw_name
    configuration.write_text(
        CONFIGURATION.format(host=host, user=user, control=control, node=node, directory=directory)
    )
    slurm = Slurm({**os.environ, "SLURM_CONF": str(configuration)}, directory)
    running: list[subprocess.Popen[bytes]] = []
    try:
        for command in ([daemons[0], "-D", "-i"], [daemons[1], "-D", "-N", host]):
            running.append(_started([*command, "-f", str(configuration)], slurm))
        _wait_until_ready(slurm, running)
        yield slurm
    finally:
        for daemon in reversed(running):
            daemon.terminate()
        for daemon in running:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _started(command: Sequence[str], slurm: Slurm) -> subprocess.Popen[bytes]:
    # What a daemon says before it opens its log.
    with (slurm.directory / f"{Path(command[0]).name}.start.log").open("wb") as output:
        return subprocess.Popen(command, env=slurm.environment, stdout=output, stderr=output)


def _wait_until_ready(slurm: Slurm, running: Sequence[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + STARTED
    while not slurm.is_ready:
        stopped = [each for each in running if each.poll() is not None]
        assert not stopped, f"{stopped[0].args} has stopped{slurm.logs}"
        assert time.monotonic() < deadline, f"Slurm is not ready{slurm.logs}"
        time.sleep(0.1)  # it has no event to wait for


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
