"""The limits on cost and on the number of jobs, with real processes and a service that counts what it accepts."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.ledger import change_ledger, rows
from tests.support.platform import TOKEN, Account
from tests.support.program import Mj, Result
from tests.support.service import Received, Reply, Service, task_record

PROCESSES = 5


def limit(mj: Mj, usd: object) -> None:
    mj("config", "set", "defaults.max_cost_per_day", usd)


def refused(result: Result) -> str:
    """The message of a refusal by a limit."""
    assert result.status == 11
    assert result.out == ""
    return result.err


def accept(service: Service) -> None:
    """Accept every job; none of them ends."""

    def script(request: Received, reply: Reply) -> None:
        task_id = f"task-{len(service.tasks)}"
        service.tasks[task_id] = task_record(task_id, request.body, None)
        reply.json({"task_id": task_id})

    service.imagine(script)


# Waits before it writes the row of its job until the test lets all processes go on at once.
GATE = """
import os, socket, sys
from mjcli.jobs.ledger import Ledger
from mjcli.__main__ import main
real = Ledger.record

def record(self, **fields):
    with socket.create_connection(("127.0.0.1", int(os.environ["GATE"]))) as gate:
        gate.recv(1)
    return real(self, **fields)

Ledger.record = record
sys.exit(main())
"""


def run_at_once(mj: Mj, prompts: list[str]) -> list[tuple[str, int]]:
    """Start a job for each prompt in a process of its own, all at the same moment; the messages and statuses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        started = [
            subprocess.Popen(
                [sys.executable, "-c", GATE, "imagine", prompt, "--no-wait"],
                env={**mj.environment(), "GATE": str(listener.getsockname()[1])},
                cwd=mj.cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for prompt in prompts
        ]
        gates = [listener.accept()[0] for _ in started]
        for gate in gates:
            gate.sendall(b"x")
            gate.close()
    return [(each.communicate(timeout=60)[1].decode(), each.returncode) for each in started]


@pytest.mark.slow
def test_processes_at_the_same_time_do_not_exceed_the_daily_limit_together(
    online: Mj, service: Service
) -> None:
    accept(service)
    limit(online, "0.05")
    ends = run_at_once(online, [f"cat number {number}" for number in range(PROCESSES)])
    assert sorted(status for _, status in ends) == [0] * 2 + [11] * (PROCESSES - 2)
    assert len(service.posts()) == len(rows(online)) == 2
    for message, status in ends:
        assert ("It was not sent." in message) == (status == 11)


@pytest.mark.slow
def test_jobs_of_several_processes_count_their_repeats_and_prices(online: Mj, service: Service) -> None:
    accept(service)
    limit(online, "0.15")
    prompts = ["a cat --repeat 3", "a dog --r 2", "a bird", "a cow --repeat 2", "a fish"]
    ends = run_at_once(online, prompts * 2)
    accepted = sum({"3": 3, "2": 2}.get(each.body["prompt"][-1], 1) for each in service.posts())
    assert 4 < accepted <= 6  # 6 × 0.025 USD
    assert {status for _, status in ends} == {0, 11}


def test_a_repeated_job_counts_as_often_as_it_is_made(online: Mj, service: Service) -> None:
    accept(service)
    limit(online, "0.05")
    message = refused(online("imagine", "a cat --repeat 3", check=11))
    assert "0.00 USD is used today (UTC), and the job costs about 0.075 USD" in message
    online("imagine", "a cat --repeat 2", "--no-wait")
    refused(online("imagine", "a cat", check=11))


def test_the_refusal_says_what_to_type(online: Mj) -> None:
    limit(online, 0)
    result = online("imagine", "a cat", "--json", check=11)
    assert result.answer["error"]["code"] == "limit"
    assert "next: mj config get defaults.max_cost_per_day" in result.err
    assert "next: mj spend --since 1d" in result.err


@pytest.mark.slow
def test_failed_and_moderated_jobs_do_not_count(online: Mj, service: Service) -> None:
    limit(online, "0.04")
    for code, status in (("bad_request", 400), ("forbidden", 403)):
        service.answer({"error": {"code": code, "message": "no"}}, status)
        online("imagine", "a cat", check=4)
    service.answer({"task_id": "t1", "success": False, "error": {"code": "api_error", "message": "no"}})
    online("imagine", "a cat", "--no-stream", check=4)
    service.answer(service.result())
    online("imagine", "a cat")
    refused(online("imagine", "a cat", check=11))


@pytest.mark.slow
def test_a_lost_job_counts_until_it_is_known_to_have_failed(online: Mj, service: Service) -> None:
    limit(online, "0.04")
    service.imagine(lambda _request, reply: reply.reset())
    online("imagine", "a cat", check=9)
    refused(online("imagine", "a dog", check=11))
    body = service.posts()[0].body
    failed = {"success": False, "error": {"code": "forbidden", "message": "no"}}
    service.tasks["t1"] = task_record("t1", body, failed)
    online("resume", check=4)
    service.answer(service.result())
    online("imagine", "a dog")


@pytest.mark.parametrize(
    "words",
    [
        ("imagine", "a cat --turbo"),
        ("imagine", "a cat", "--mode", "turbo"),
        ("imagine", "a cat", "--hd"),
        ("imagine", "a cat --sref 123"),
        ("imagine", "a cat", "--style-reference"),
        ("imagine", "a cat", "--moodboard"),
        ("translate", "un chat"),
        ("shorten", "a very long cat"),
    ],
)
def test_a_job_without_a_known_price_is_refused_only_with_a_limit_on_cost(
    online: Mj, service: Service, words: tuple[str, ...]
) -> None:
    assert "not known, so it cannot be checked against --max-cost" in refused(
        online(*words, "--max-cost", "99", check=11)
    )
    limit(online, 99)
    assert "against defaults.max_cost_per_day" in refused(online(*words, check=11))
    assert service.posts() == service.posts("/midjourney/translate") == []
    online("config", "unset", "defaults.max_cost_per_day")
    service.answer(service.result())
    for name in ("translate", "shorten"):
        service.scripts[f"/midjourney/{name}"] = lambda _request, reply: reply.json(
            {"content": "a cat", "prompts": ["a cat"], "success": True}
        )
    online(*words, "--max-jobs", "1")


@pytest.mark.slow
def test_a_price_is_known_once_the_account_was_charged_for_such_a_job(online: Mj, service: Service) -> None:
    account = Account(service)
    online.env["MJ_PLATFORM_TOKEN"] = TOKEN
    account.charge("trace-1", 0.5)
    service.answer(service.result(trace_id="trace-1"))
    assert "Cost: 0.05 USD" in online("imagine", "a cat --turbo").err
    limit(online, "0.10")
    result = online("imagine", "a dog --turbo", "--no-ledger", check=2)
    assert "defaults.max_cost_per_day needs the ledger" in result.err
    service.answer(service.result(task_id="t2", image_id="i2", trace_id="trace-2"))
    assert "Cost: about 0.05 USD (charged before)" in online("imagine", "a dog --turbo").err
    assert "0.10 USD is used today" in refused(online("imagine", "a bird --turbo", check=11))


# -- one command ----------------------------------------------------------------------------------------


def test_max_cost_and_max_jobs_refuse_all_jobs_of_a_command(online: Mj, service: Service) -> None:
    permuted = ("imagine", "a {red,green,blue} cat", "--permute", "--yes")
    message = refused(online(*permuted, "--max-cost", "0.07", check=11))
    assert "--max-cost is 0.07 USD, and 3 jobs cost about 0.075 USD (list prices of" in message
    assert "--max-jobs is 2, and this starts 3 jobs. Nothing was sent." in refused(
        online(*permuted, "--max-jobs", "2", check=11)
    )
    assert service.posts() == []
    service.answer(service.result())
    assert "Cost: about 0.075 USD" in online(*permuted, "--max-cost", "0.075", "--max-jobs", "3").err


def test_a_dry_run_is_refused_by_the_limits_of_the_command(online: Mj, service: Service) -> None:
    for option in (("--max-cost", "0.07"), ("--max-jobs", "2")):
        assert option[0] in refused(online("imagine", "a cat", "--r", "3", "--dry-run", *option, check=11))
    assert "a cat" in online("imagine", "a cat", "--dry-run", "--max-cost", "1", "--max-jobs", "1").out
    assert service.received == []
    assert not (Path(online.env["MJ_DATA_DIR"]) / "ledger.db").exists()


@pytest.mark.slow
def test_jobs_that_exceed_the_daily_limit_together_are_refused_together(online: Mj, service: Service) -> None:
    service.answer(service.result())
    online("imagine", "a cat")
    limit(online, "0.07")
    permuted = ("imagine", "a {red,green} cat", "--permute", "--yes")
    message = refused(online(*permuted, check=11))
    assert "0.025 USD is used today (UTC), and 2 jobs cost about 0.05 USD. Nothing was sent." in message
    assert "price of this job is not known" in refused(online(*permuted, "--mode", "turbo", check=11))
    assert len(service.posts()) == 1
    limit(online, "0.075")
    online(*permuted)


def test_max_jobs_counts_repeats(online: Mj) -> None:
    assert "this starts 4 jobs" in refused(online("imagine", "a cat --repeat 4", "--max-jobs", "3", check=11))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--max-cost", value) for value in ("nan", "inf", "-1", "5 USD")),
        *(("--max-jobs", value) for value in ("-1", "1.5", "nan")),
    ],
)
def test_a_limit_that_is_no_amount_is_refused(online: Mj, service: Service, option: str, value: str) -> None:
    for extra in ((), ("--dry-run",)):
        assert option in online("imagine", "a cat", option, value, *extra, check=2).err
    assert service.posts() == []


def test_one_limit_of_several_images_concerns_them_together(online: Mj, service: Service) -> None:
    service.answer(service.result())
    online("imagine", "a cat")
    message = refused(online("vary", "all", "--max-cost", "0.04", "--yes", check=11))
    assert "4 jobs cost about 0.10 USD" in message
    assert len(service.posts()) == 1


# -- jobs of the ledger ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_resubmitting_a_lost_job_is_checked_against_the_limit(online: Mj, service: Service) -> None:
    service.imagine(lambda _request, reply: reply.reset())
    online("imagine", "a cat", check=9)
    limit(online, "0.04")
    service.answer(service.result())
    assert "0.025 USD is used today" in refused(online("resume", "--resubmit", "--yes", check=11))
    assert rows(online, "state") == [("unknown",)]
    limit(online, "0.05")
    assert "Cost: about 0.025 USD" in online("resume", "--resubmit", "--yes").err
    assert len(service.posts()) == 2


def test_a_job_that_was_queued_before_the_limit_is_not_sent_by_resume(online: Mj, service: Service) -> None:
    service.answer(service.result())
    online("imagine", "a cat")
    change_ledger(online, "state = 'submitting', sent_at = NULL, task_id = NULL, created_at = ?", time.time())
    limit(online, "0.02")
    refused(online("resume", check=11))
    assert len(service.posts()) == 1
    limit(online, "0.03")
    online("resume")
    assert len(service.posts()) == 2


@pytest.mark.slow
def test_a_key_that_is_sent_again_is_checked_against_every_limit(online: Mj, service: Service) -> None:
    keyed = ("imagine", "a cat", "--key", "k")
    service.answer({"error": {"code": "bad_request", "message": "no"}}, 400)
    online(*keyed, check=4)
    service.answer(service.result())
    limit(online, "0.02")
    refused(online(*keyed, "--retry-failed", check=11))
    limit(online, 1)
    for option, value in (("--max-cost", "0.02"), ("--max-jobs", "0")):
        refused(online(*keyed, "--retry-failed", option, value, check=11))
    assert len(service.posts()) == 1
    online(*keyed, "--retry-failed", "--max-cost", "0.025", "--max-jobs", "1")
    limit(online, 0)
    joined: Any = online(*keyed, "--max-jobs", "0", "--json").answer  # it is done, so nothing is sent
    assert joined["success"] is True
    assert len(service.posts()) == 2


@pytest.mark.slow
def test_a_key_that_was_never_accepted_is_checked_against_every_limit(online: Mj, service: Service) -> None:
    keyed = ("imagine", "a cat", "--key", "k")
    service.answer({"error": {"code": "rate_limited", "message": "later"}}, 429)
    online(*keyed, "--retries", "0", check=5)
    service.answer(service.result())
    limit(online, "0.02")
    refused(online(*keyed, check=11))
    limit(online, "0.03")
    refused(online(*keyed, "--max-cost", "0.02", check=11))
    online(*keyed, "--max-jobs", "1")
    assert len(service.posts()) == 2
