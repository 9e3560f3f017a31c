"""`mj spend`, `mj balance`, and the total after each command."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from mjcli.jobs.budget import LIST_DATE
from tests.support.ledger import change, change_ledger, in_ledger, rows
from tests.support.platform import TOKEN, Account, application
from tests.support.program import FULL_FILE_SYSTEM, Mj, Result, run_after
from tests.support.service import Service, task_record

LISTED = f"list prices of {LIST_DATE}"


@pytest.fixture
def account(online: Mj, service: Service) -> Account:
    """The platform, and a token for it."""
    online.env["MJ_PLATFORM_TOKEN"] = TOKEN
    return Account(service)


def imagine(mj: Mj, service: Service, prompt: str, number: int, **more: Any) -> Result:
    ids = {"task_id": f"task-{number}", "image_id": f"image-{number}", "trace_id": f"trace-{number}"}
    service.answer(service.result(**ids, **more))
    return mj("imagine", prompt)


def hidden(result: Result) -> Result:
    assert TOKEN not in result.out + result.err
    return result


# -- the total after a command --------------------------------------------------------------------------


def test_without_a_platform_token_the_total_is_an_estimate_from_the_list_prices(
    online: Mj, service: Service
) -> None:
    result = imagine(online, service, "a cat", 1)
    assert result.err.endswith(f"Cost: about 0.025 USD ({LISTED})\n")
    assert service.gets() == []


def test_the_total_is_not_shown_with_quiet(online: Mj, service: Service) -> None:
    service.answer(service.result())
    assert online("imagine", "a cat", "-q").err == ""


@pytest.mark.slow
def test_a_command_that_sends_nothing_shows_no_total(online: Mj, service: Service) -> None:
    service.answer({"error": {"code": "forbidden", "message": "no"}}, 403)
    for words in (("imagine", "a cat"), ("imagine", "a cat", "--dry-run"), ("history",), ("check", "a cat")):
        assert "Cost" not in online(*words, check=None).err
    imagine(online, service, "a cat", 1)
    for words in (("resume",), ("download", "@last"), ("history",), ("show", "@last")):
        assert "Cost" not in online(*words, check=None).err


def test_what_costs_an_unknown_amount_is_at_least_the_list_price(online: Mj, service: Service) -> None:
    result = imagine(online, service, "a cat --turbo", 1)
    assert f"Cost: at least 0.025 USD ({LISTED}; the exact price is not known)\n" in result.err


def test_with_a_platform_token_the_total_is_what_was_charged(
    online: Mj, service: Service, account: Account
) -> None:
    account.charge("trace-1", 0.3)
    assert hidden(imagine(online, service, "a cat", 1)).err.endswith("Cost: 0.03 USD\n")
    assert in_ledger(online, "charged, trace_id") == (pytest.approx(0.03), "trace-1")


@pytest.mark.slow
def test_without_a_usage_record_yet_the_total_is_estimated_from_earlier_charges(
    online: Mj, service: Service, account: Account
) -> None:
    account.charge("trace-1", 0.3)
    imagine(online, service, "a cat", 1)
    assert imagine(online, service, "a dog", 2).err.endswith("Cost: about 0.03 USD (charged before)\n")


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["refused", "not JSON", "no answer"])
def test_a_platform_that_fails_does_not_concern_the_job(
    online: Mj, service: Service, account: Account, fault: str
) -> None:
    def broken(_request: Any, reply: Any) -> None:
        if fault == "no answer":
            reply.reset()
        elif fault == "not JSON":
            reply.whole(b"<html>")
        else:
            reply.json({"error": {"code": "invalid_token", "message": TOKEN}}, 401)

    service.files["/api/v1/applications/"] = broken
    result = hidden(imagine(online, service, "a cat", 1))
    assert result.err.endswith(f"Cost: about 0.025 USD ({LISTED})\n")


def test_without_the_ledger_there_is_no_total(online: Mj, service: Service) -> None:
    service.answer(service.result())
    assert "Cost" not in online("imagine", "a cat", "--no-ledger").err


def test_an_estimate_is_shown_beforehand_with_verbose(online: Mj, service: Service) -> None:
    service.answer(service.result())
    lines = online("imagine", "a cat", "-v").err.splitlines()
    assert f"Estimate: about 0.025 USD ({LISTED})" in lines[: [each[:4] for each in lines].index("POST")]


# -- mj spend -------------------------------------------------------------------------------------------


def test_spend_without_a_platform_token_shows_estimates_and_says_so(online: Mj, service: Service) -> None:
    imagine(online, service, "a cat", 1)
    result = online("spend", "--json")
    (row,) = result.json
    day = row.pop("name")
    assert len(day) == 10
    assert row == {"by": "day", "jobs": 1, "usd": 0.025, "charged": 0.0, "estimated": 0.025, "unpriced": 0}
    line = "mj auth login --platform"
    assert result.err == (f"Estimates only ({LISTED}). For what was charged, save a platform token: {line}\n")
    assert online("spend", "-q").out == "0.025\n"
    assert online("spend").out == f"{day}\t1\t0.025\t0.00\t0.025\n"


@pytest.mark.slow
def test_spend_joins_the_jobs_with_their_usage_records(
    online: Mj, service: Service, account: Account
) -> None:
    for number, prompt in enumerate(["a cat", "a cat", "a dog"], start=1):
        imagine(online, service, prompt, number)
    account.charge("trace-1", 0.3)
    account.charge("trace-2", 0.4)
    account.charge("elsewhere", 1.0)
    account.charge("music", 7.0, title="Suno Music")
    account.charge(None, 2.0)
    result = hidden(online("spend", "--by", "prompt", "--json"))
    named = {row["name"]: row for row in result.json}
    assert list(named) == ["a cat", "a dog", "other"]
    assert (named["a cat"]["charged"], named["a cat"]["jobs"]) == (0.07, 2)
    assert (named["a dog"]["charged"], named["a dog"]["estimated"]) == (0.0, pytest.approx(0.035))
    assert (named["other"]["charged"], named["other"]["jobs"]) == (0.3, 2)
    assert result.err == "1 job has no usage record yet; the cost is estimated (charged before).\n"


@pytest.mark.slow
def test_all_pages_of_the_usage_records_are_read(online: Mj, service: Service, account: Account) -> None:
    imagine(online, service, "a cat", 1)
    account.charge("trace-1", 0.3)
    for number in range(250):
        account.charge(f"other-{number}", 0.1)
    by_kind = {row["name"]: row for row in online("spend", "--by", "kind", "--json").json}
    assert by_kind["image"]["charged"] == 0.03
    assert by_kind["other"]["jobs"] == 250


def test_charges_stay_in_the_ledger(online: Mj, service: Service, account: Account) -> None:
    account.charge("trace-1", 0.3)
    imagine(online, service, "a cat", 1)
    result = online("spend", "--json", env={"MJ_PLATFORM_TOKEN": None})
    assert result.answer["charged"] == 0.03
    assert result.err == ""


def test_spend_by_kind_and_batch(online: Mj, service: Service) -> None:
    imagine(online, service, "a cat", 1, actions=["upscale1"])
    online("upscale", "1", "image-1")
    change(online, "UPDATE jobs SET batch = 'birds' WHERE kind = 'action'")
    kinds = online("spend", "--by", "kind").out.splitlines()
    assert [line.split("\t")[:3] for line in kinds] == [["image", "1", "0.025"], ["upscale", "1", "0.005"]]
    batches = online("spend", "--by", "batch").out.splitlines()
    assert [line.split("\t")[0] for line in batches] == ["(no batch)", "birds"]


def test_spend_as_csv_has_a_header_and_quotes_what_needs_it(online: Mj, service: Service) -> None:
    imagine(online, service, 'a "red, cat', 1)
    text = online("spend", "--by", "prompt", "--csv").out
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["name"] == 'a "red, cat'
    assert (row["jobs"], row["usd"]) == ("1", "0.025")
    assert text.splitlines()[0] == "by,name,jobs,usd,charged,estimated,unpriced"
    for other in (("--json",), ("--field", "usd")):
        assert "--csv cannot be combined" in online("spend", "--csv", *other, check=2).err


@pytest.mark.slow
def test_spend_shows_only_the_jobs_of_the_period(online: Mj, service: Service) -> None:
    imagine(online, service, "a cat", 1)
    change_ledger(online, "sent_at = sent_at - 5 * 86400")
    imagine(online, service, "a dog", 2)
    names = ["--by", "prompt", "--field", "name"]
    assert online("spend", *names).out.split("\n")[:-1] == ["a cat", "a dog"]
    assert online("spend", *names, "--since", "2d").out == "a dog\n"
    assert online("spend", *names, "--until", "2d").out == "a cat\n"
    assert online("spend", "--since", "1d", "--until", "2d", check=2).err == (
        "mj: --until must be later than --since.\n"
    )
    change_ledger(online, "sent_at = sent_at - 50 * 86400")
    empty = online("spend")
    assert (empty.out, empty.err) == ("", "No jobs in this period.\n")


def test_spend_leaves_out_jobs_that_are_not_billed(online: Mj, service: Service) -> None:
    service.answer({"error": {"code": "forbidden", "message": "no"}}, 403)
    online("imagine", "a cat", check=4)
    assert online("spend").out == ""
    imagine(online, service, "a dog", 1)
    change_ledger(online, "state = 'submitting', sent_at = NULL, task_id = NULL")
    assert online("spend").out == ""


def test_spend_says_that_the_price_of_some_jobs_is_not_known(online: Mj, service: Service) -> None:
    imagine(online, service, "a cat --turbo", 1)
    result = online("spend", "--json")
    assert (result.answer["usd"], result.answer["unpriced"]) == (0.025, 1)
    assert "The exact price of 1 job is not known; the cost may be higher." in result.err


@pytest.mark.slow
def test_spend_says_when_other_usage_may_be_that_of_unfinished_jobs(
    online: Mj, service: Service, account: Account
) -> None:
    service.answer({"task_id": "t1"})
    online("imagine", "a cat", "--no-wait", "--no-stream")
    account.charge("trace-t1", 0.3)
    assert '"other" may include unfinished jobs; to link their charges: mj resume' in online("spend").err
    service.tasks["t1"] = task_record(
        "t1", service.posts()[0].body, service.result(task_id="t1", trace_id=None)
    )
    online("resume")
    (row,) = online("spend", "--by", "prompt", "--json").json
    assert (row["name"], row["charged"]) == ("a cat", 0.03)


def test_imported_tasks_have_their_charges(online: Mj, service: Service, account: Account) -> None:
    service.tasks["t9"] = task_record(
        "t9", {"prompt": "a cow", "action": "generate"}, service.result(task_id="t9")
    )
    account.charge("trace-t9", 0.3)
    online("tasks", "--import")
    (row,) = online("spend", "--by", "prompt", "--json").json
    assert (row["name"], row["charged"]) == ("a cow", 0.03)


def test_spend_says_when_the_platform_does_not_say_what_a_credit_costs(
    online: Mj, service: Service, account: Account
) -> None:
    account.applications = [application(5.0, package=None)]
    account.charge("trace-1", 1.0)
    imagine(online, service, "a cat", 1)
    result = online("spend", "--json")
    assert result.answer["charged"] == 0.095
    assert "Credits are counted as 0.095 USD each, the last published price." in result.err


def test_spend_counts_the_jobs_of_the_active_profile(online: Mj, service: Service) -> None:
    imagine(online, service, "a cat", 1)
    change_ledger(online, "profile = 'work'")
    assert online("spend").out == ""


def test_spend_does_not_show_control_characters(online: Mj, service: Service) -> None:
    imagine(online, service, "a cat", 1)
    change_ledger(online, "subject = ?", "a \x1b[31m\tcat")
    for words in ((), ("--csv",)):
        assert "\x1b" not in online("spend", "--by", "prompt", *words).out


@pytest.mark.slow
def test_spend_is_shown_although_the_disk_is_full(online: Mj, service: Service, account: Account) -> None:
    imagine(online, service, "a cat", 1)
    account.charge("trace-1", 0.3)
    result = run_after(online, FULL_FILE_SYSTEM, "spend", "-q")
    if result.status == 77:
        pytest.skip("no private mounts")
    assert result.status == 0
    assert result.out == "0.025\n"


@pytest.mark.parametrize("by", ["day", "kind", "batch", "prompt"])
def test_a_damaged_row_is_no_fault_of_spend(online: Mj, service: Service, by: str) -> None:
    imagine(online, service, "a cat", 1)
    change_ledger(online, "request = '[', subject = ''")
    assert online("spend", "--by", by).out.count("\n") == 1


# -- mj balance -----------------------------------------------------------------------------------------


def test_balance_adds_the_quota_and_the_global_balance(online: Mj, account: Account) -> None:
    account.applications = [
        application(5.0),
        application(3.0, expired_at="2020-01-01T00:00:00Z"),
        application(20.0, "Global"),
        application(-4.0),
    ]
    result = hidden(online("balance", "--json"))
    document = result.answer
    assert (document["credits"], document["usd"]) == (25.0, 2.5)
    assert (document["service_credits"], document["global_credits"]) == (5.0, 20.0)
    assert online("balance", "-q").out == "25\n"
    assert online("balance", "--field", "usd").out == "2.5\n"
    assert online("balance").out == (
        "service quota: 5 credits (0.50 USD)\nglobal balance: 20 credits (2.00 USD)\ntotal: 25 credits (2.50 USD)\n"
    )


def test_balance_does_not_count_a_global_balance_that_the_service_may_not_use(
    online: Mj, account: Account
) -> None:
    account.applications = [application(5.0, allow_consume_global=False), application(20.0, "Global")]
    assert online("balance", "-q").out == "5\n"


def test_balance_without_a_price_of_credits_shows_no_dollars(online: Mj, account: Account) -> None:
    account.applications = [application(5.0, package=None)]
    assert "USD" not in online("balance").out
    assert online("balance", "--json").answer["usd"] is None


def test_balance_needs_a_platform_token_and_never_sends_the_api_token(online: Mj, service: Service) -> None:
    Account(service)
    result = online("balance", "--json", check=3)
    assert result.answer["error"]["code"] == "no_token"
    assert "next: mj auth login --platform" in result.err
    assert service.received == []


@pytest.mark.parametrize("command", ["balance", "spend"])
def test_a_refused_platform_token_is_not_repeated(
    online: Mj, service: Service, account: Account, command: str
) -> None:
    other = "platform-other-0123456789"
    result = online(command, "--json", env={"MJ_PLATFORM_TOKEN": other}, check=3)
    assert other not in result.out + result.err
    assert "The platform refused the query (invalid_token): not a token: Bearer ********" in result.err
    assert "mj auth login --platform" in result.err


def test_the_platform_token_reaches_no_other_place(online: Mj, service: Service, account: Account) -> None:
    """Also when a peer repeats it: no header of the API, no ledger, no file."""
    service.answer({**service.result(), "note": TOKEN})
    hidden(online("imagine", "a cat", "--json"))
    hidden(online("config", "list"))
    assert all(TOKEN not in str(each.headers) for each in service.posts())
    assert TOKEN not in str(rows(online, "*"))
    assert all("authorization" in each.headers for each in service.gets())


def test_the_platform_token_is_not_sent_over_plain_http_to_another_machine(online: Mj) -> None:
    online("config", "set", "platform_url", "http://platform.example/api", check=2)
    file = Path(online.env["MJ_CONFIG"])
    file.parent.mkdir(exist_ok=True)
    file.write_text('[profiles.default]\nplatform_url = "http://platform.example/api"\n')
    result = online("balance", env={"MJ_PLATFORM_TOKEN": TOKEN}, check=2)
    assert "platform_url must" in result.err


@pytest.mark.slow
def test_the_sandbox_has_prices_a_balance_and_usage_records(mj: Mj) -> None:
    assert mj("--sandbox", "imagine", "a cat").err.endswith("Cost: 0.025 USD\n")
    assert mj("--sandbox", "balance", "-q").out == "99.75\n"
    (row,) = mj("--sandbox", "spend", "--by", "kind", "--json").json
    assert (row["name"], row["charged"]) == ("image", 0.025)
    assert mj("spend").out == ""
