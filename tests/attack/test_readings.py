"""Where the documents are silent: each reading gives the right rows at the right price, or is loud.

The emulator has an option for each reading.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, Final, get_args, get_type_hints

import pytest

from tap_supermetrics.api.client import Client
from tap_supermetrics.emulator import Emulator, Fault, Options
from tap_supermetrics.extraction import polling, progress
from tests.attack.driver import (
    ADS,
    FIRST,
    LAST,
    Killed,
    attempt,
    keeps_its_promise,
    options,
    settings_for,
    some,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.attack.driver import Attempt

pytestmark = pytest.mark.timeout(120)
NEEDED = 2 * 3
"""Queries of `ADS`: two accounts, three days."""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(options=options()) as running:
        yield running


def load(emulator: Emulator, **changes: Any) -> Attempt:  # noqa: ANN401 - any setting
    return attempt(settings_for(emulator, ADS, **changes))


def is_right_and_cheap(done: Attempt, emulator: Emulator, needed: int = NEEDED) -> None:
    text = "\n".join(done.log)
    assert done.code == 0, text
    keeps_its_promise(done, emulator, ADS)
    assert len(emulator.queries) == needed, text


# The options of the emulator, one at a time and in pairs


def choices(name: str) -> tuple[Any, ...]:
    """Return what an option can be."""
    return get_args(get_type_hints(Options)[name]) or (True, False)


PAGED: Final = {"page_size": 4, "split_dates_policy": "none"}
"""Settings by which a result has several pages."""
OF_RESULTS: Final[dict[str, tuple[Any, ...]]] = {
    **{
        name: choices(name)
        for name in (
            "results_total",
            "results_next",
            "results_behind_end",
            "results_paging",
            "header",
            "clean_dates",
            "echo",
            "empty_result",
            "blank_metric",
            "numbers",
            "total_rows_counts_header",
            "header_on_every_page",
        )
    },
    "results_limit_max": (0, 3),
    "results_limit_over_maximum": choices("results_limit_over_maximum"),
    "results_ready_after_seconds": (0.0, 5.0),
}
"""Options that change what a result looks like."""
OF_BATCHES: Final[dict[str, tuple[Any, ...]]] = {
    **{
        name: choices(name)
        for name in (
            "split_info_form",
            "duplicate_accounts",
            "batch_item_lists",
            "split_info_unsplit",
            "schedule_id_counts",
            "schedule_id_date",
            "split_order",
            "unfinished_in_stopped_batch",
        )
    },
    "status_ready_after_seconds": (0.0, 5.0),
}
"""Options that change what a batch looks like."""


def singles(options: Mapping[str, tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Return each option with each of its choices but the usual one."""
    usual = Options()
    return [
        {name: choice}
        for name, values in options.items()
        for choice in values
        if choice != getattr(usual, name)
    ]


def pairs(options: Mapping[str, tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Return each two unusual choices of different options."""
    return [{**a, **b} for a, b in combinations(singles(options), 2) if a.keys() != b.keys()]


def named(reading: Mapping[str, Any]) -> str:
    return ",".join(f"{name}={value}" for name, value in reading.items()) or "paged"


@pytest.mark.parametrize("paged", [{}, PAGED], ids=named)
@pytest.mark.parametrize("reading", singles(OF_RESULTS), ids=named)
def test_a_reading_of_results(
    emulator: Emulator, reading: dict[str, Any], paged: dict[str, Any]
) -> None:
    emulator.change_options(**reading)
    is_right_and_cheap(load(emulator, **paged), emulator, 2 if paged else NEEDED)


def test_queries_that_the_api_gives_an_id_of_its_own_are_paid_once(emulator: Emulator) -> None:
    """A look by the id that was sent would find nothing, for minutes, and submit it again."""
    emulator.change_options(schedule_id_sent="replaced")
    done = load(emulator, mode="async")

    is_right_and_cheap(done, emulator)
    assert not any(each.error_code for each in emulator.requests)


@pytest.mark.parametrize("reading", singles(OF_BATCHES), ids=named)
def test_a_reading_of_batches(emulator: Emulator, reading: dict[str, Any]) -> None:
    emulator.change_options(**reading)
    is_right_and_cheap(load(emulator), emulator)


SHORT_PAGES: Final = {"results_limit_max": 3, "results_next": "null"}
"""Pages of three rows, whatever is asked for, of which no one names the next."""


@pytest.mark.parametrize("behind", choices("results_behind_end"))
@pytest.mark.parametrize("total", ["none", "page"])
@pytest.mark.parametrize("mode", ["batch", "async"])
def test_a_short_page_is_not_the_last_one_unless_a_total_says_so(
    emulator: Emulator, mode: str, total: str, behind: str
) -> None:
    emulator.change_options(**SHORT_PAGES, results_total=total, results_behind_end=behind)
    is_right_and_cheap(load(emulator, mode=mode, split_dates_policy="none"), emulator, 2)


@pytest.mark.parametrize("mode", ["batch", "async"])
def test_pages_whose_total_is_known_are_not_looked_behind(emulator: Emulator, mode: str) -> None:
    emulator.change_options(total_rows_counts_header=False)
    done = load(emulator, mode=mode, split_dates_policy="none")

    is_right_and_cheap(done, emulator, 2)
    assert sum("query/results" in each.path for each in emulator.requests) == 2


def test_results_of_one_row_are_not_looked_behind(emulator: Emulator) -> None:
    emulator.change_options(total_rows_counts_header=False)
    report = {**ADS, "fields": ["Date", "Cost"]}
    done = attempt(settings_for(emulator, report, mode="async"))
    assert done.code == 0
    asked = [each for each in emulator.requests if "query/results" in each.path]
    assert len(asked) == len(emulator.queries) == done.written


@pytest.mark.parametrize("mode", ["batch", "async"])
def test_an_api_that_sends_everything_and_tells_no_total_sends_the_same_again(
    emulator: Emulator, mode: str
) -> None:
    emulator.change_options(results_paging=False, results_total="none", results_next="null")
    is_right_and_cheap(load(emulator, mode=mode), emulator)


@pytest.mark.parametrize("behind", choices("results_behind_end"))
def test_a_full_page_may_be_the_last_one(emulator: Emulator, behind: str) -> None:
    emulator.change_options(
        results_total="none", results_next="null", results_behind_end=behind, results_limit_max=1
    )
    is_right_and_cheap(load(emulator, page_size=1), emulator)


REFUSED_ALOUD: Final[list[tuple[dict[str, Any], str]]] = [
    (
        {"results_limit_max": 3, "results_limit_over_maximum": "refuse"},
        "PARAMETER_INVALID: limit may be 3 at most",
    ),
]
"""Readings that cannot be made out, each with its message; they are paid once."""


def is_right_or_loud(
    done: Attempt, emulator: Emulator, reading: dict[str, Any], needed: int = NEEDED
) -> None:
    keeps_its_promise(done, emulator, ADS)
    text = "\n".join(done.log)
    messages = [message for refused, message in REFUSED_ALOUD if refused == reading]
    assert done.code == (3 if messages else 0), text
    assert all(f" failed: {message}" in text for message in messages)
    assert len(emulator.queries) == needed, text


@pytest.mark.parametrize("reading", some(pairs(OF_RESULTS), 60), ids=named)
def test_two_readings_of_results_together(emulator: Emulator, reading: dict[str, Any]) -> None:
    emulator.change_options(**reading)
    is_right_or_loud(load(emulator, **PAGED), emulator, reading, 2)


@pytest.mark.parametrize("echo", ["thin", "none"])
def test_a_header_is_known_by_the_names_that_the_api_lists(emulator: Emulator, echo: str) -> None:
    emulator.change_options(header="always", echo=echo)
    is_right_and_cheap(load(emulator, **PAGED), emulator, 2)


@pytest.mark.parametrize("reading", [each for each, _ in REFUSED_ALOUD], ids=named)
def test_a_reading_that_is_refused_is_paid_once(
    emulator: Emulator, reading: dict[str, Any]
) -> None:
    emulator.change_options(**reading)
    is_right_or_loud(load(emulator, **PAGED), emulator, reading, 2)


@pytest.mark.parametrize("reading", some(pairs(OF_BATCHES), 30), ids=named)
def test_two_readings_of_batches_together(emulator: Emulator, reading: dict[str, Any]) -> None:
    emulator.change_options(**reading)
    is_right_or_loud(load(emulator), emulator, reading)


def test_a_refused_page_is_halved_and_the_setting_is_named(emulator: Emulator) -> None:
    emulator.change_options(results_limit_max=1000, results_limit_over_maximum="refuse")
    done = load(emulator)

    is_right_and_cheap(done, emulator)
    refused = [each for each in emulator.requests if each.error_code == "PARAMETER_INVALID"]
    assert len(refused) <= 4 * 4  # four halves, seen by as many as four threads at once
    assert "625 are asked for; set `page_size` to that" in "\n".join(done.log)


# A status that is not found


@pytest.mark.parametrize("seconds", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("mode", ["batch", "async"])
def test_what_is_not_there_yet_is_not_paid_again(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, seconds: float, mode: str
) -> None:
    """A batch is known longer than it is young, as its information tells it."""
    name = {"async": "YOUNG_S", "batch": "POLL_FAILURES_S"}[mode]
    monkeypatch.setattr(polling, name, 30.0)
    factor = emulator.options.clock_factor
    emulator.change_options(status_ready_after_seconds=seconds * factor)
    done = load(emulator, mode=mode)

    is_right_and_cheap(done, emulator)


@pytest.mark.parametrize(
    ("path", "mode"),
    [("query/batch/.*/status", "batch"), ("query/results", "batch"), ("query/status", "async")],
)
@pytest.mark.parametrize("said", [(404, "NOT_FOUND"), (404, "GONE_FOR_NOW"), (410, "")])
def test_what_we_started_is_looked_for_by_whatever_code_it_is_not_found(
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    mode: str,
    said: tuple[int, str],
) -> None:
    status, code = said
    monkeypatch.setattr(polling, "YOUNG_S", 30.0)
    emulator.inject(Fault(effect="error", method="GET", path=path, status=status, code=code))
    done = load(emulator, mode=mode)

    is_right_and_cheap(done, emulator)


def test_a_running_query_that_is_not_found_once_is_not_paid_again(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is older than what is young, but was seen a moment ago, so it has not expired."""
    monkeypatch.setattr(polling, "YOUNG_S", 1.0)
    emulator.inject(Fault(effect="slow_query", seconds=10 * emulator.options.clock_factor))
    # A look in 50 milliseconds at most: the thirtieth of a query is a second after its start.
    fault = Fault(
        effect="error", path="query/status", status=404, code="STATUS_NOT_FOUND", after=60
    )
    emulator.inject(fault)
    done = load(emulator, mode="async")

    assert any(each.error_code == "STATUS_NOT_FOUND" for each in emulator.requests)
    is_right_and_cheap(done, emulator)


def test_a_batch_of_a_killed_run_that_is_not_found_yet_is_waited_for(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "YOUNG_S", 60.0)

    def die(*_: object) -> None:
        raise Killed

    killed = attempt(settings_for(emulator, ADS), keep=die)
    path = "query/batch/.*/status"
    emulator.inject(Fault(effect="error", path=path, status=404, code="BATCH_NOT_FOUND"))
    done = attempt(settings_for(emulator, ADS), killed.bookmarks)

    is_right_and_cheap(done, emulator)


def test_a_batch_of_a_clock_that_was_wrong_is_not_waited_for(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be young for years."""
    monkeypatch.setattr(polling, "YOUNG_S", 60.0)

    def die(*_: object) -> None:
        raise Killed

    killed = attempt(settings_for(emulator, ADS), keep=die)
    (batch, *_) = killed.bookmarks["google_ads"]["query_batches"]
    batch |= {"submitted_at": "2099-01-01T00:00:00+00:00", "batch_id": "qrb_0a1b2c3d4e5f"}
    done = attempt(settings_for(emulator, ADS), killed.bookmarks)

    assert done.code == 0
    assert "qrb_0a1b2c3d4e5f of an earlier run is gone" in "\n".join(done.log)


def test_what_is_not_there_yet_and_never_comes_has_an_end(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor's information says that it runs; its status never comes."""
    monkeypatch.setattr(polling, "GRACE_S", -299.5)
    emulator.change_options(status_ready_after_seconds=1e9)
    emulator.inject(Fault(effect="hang_query", times=None))
    done = load(emulator, mode="batch", timeout_minutes=5)

    assert done.code == 3, "\n".join(done.log)
    assert len(emulator.batches) <= 3


@pytest.mark.parametrize("has_information", [True, False])
def test_a_status_that_expired_is_told_from_one_that_is_to_come(
    emulator: Emulator, *, has_information: bool
) -> None:
    if not has_information:
        path = "query/batch/[^/]*$"
        fault = Fault(
            effect="error",
            method="GET",
            path=path,
            times=None,
            code="ENDPOINT_NOT_FOUND",
            status=404,
        )
        emulator.inject(fault)
    emulator.inject(Fault(effect="expire", path="query/batch/.*/status", method="GET"))
    done = load(emulator)

    assert done.code == 0
    keeps_its_promise(done, emulator, ADS)
    assert len(emulator.batches) == 2


# For people


def test_a_person_finds_a_batch_by_one_line_of_the_log(emulator: Emulator) -> None:
    done = load(emulator, batch_description="nightly")
    (batch,) = emulator.batches
    (line,) = [each for each in done.log if f"{batch.batch_id} (nightly [" in each]

    assert f"{batch.description}): {NEEDED} queries, scheduled 2024-06-10T0" in line
    assert ", started 2024-" in line
    assert ", ended 2024-" in line
    assert "cancelled" not in line


def test_a_batch_that_somebody_cancelled_is_named_so(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, cancelled = Client.batch_status, list[str]()
    # It must still run when somebody comes.
    emulator.inject(Fault(effect="hang_query", times=1))

    def status(client: Client, batch_id: str) -> object:
        if not cancelled:
            cancelled.append(batch_id)
            client.cancel_batch(batch_id)
        return ask(client, batch_id)

    monkeypatch.setattr(Client, "batch_status", status)
    done = load(emulator)

    keeps_its_promise(done, emulator, ADS)
    assert (done.code, len(emulator.batches)) == (3, 1)
    text = "\n".join(done.log)
    assert ", cancelled 2024-06-10T0" in text
    assert "QUERY_CANCELLED" in text


def test_a_batch_that_the_tap_cancels_has_its_line_too(emulator: Emulator) -> None:
    emulator.inject(Fault(effect="fail_query", code="QUERY_ERROR"))
    emulator.inject(Fault(effect="hang_query", times=None))
    done = load(emulator, on_failure="stop", mode="batch")

    (batch,) = emulator.batches
    story = f"{batch.batch_id} ({batch.description}): {NEEDED} queries, scheduled "
    lines = [each for each in done.log if story in each]
    assert lines
    assert all(", cancelled 2024-06-10T0" in each for each in lines)


def test_what_the_tap_cancels_at_a_stop_fails_for_the_reason_of_the_stop(
    emulator: Emulator,
) -> None:
    """Nobody at the vendor's did it, and nobody is to be looked for."""
    emulator.inject(Fault(effect="fail_query", code="API_ROW_QUOTA_EXCEEDED"))
    emulator.inject(Fault(effect="hang_query", times=None))
    done = load(emulator, mode="batch")

    text = "\n".join(done.log)
    assert done.code == 4
    assert "cancelled" in text
    assert "QUERY_CANCELLED" not in text


@pytest.mark.parametrize(
    ("mode", "told"),
    [("async", "; the license's queue holds "), ("batch", "; 1 query batch waits to be run")],
)
def test_the_progress_line_tells_what_is_waited_for(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, mode: str, told: str
) -> None:
    monkeypatch.setattr(progress, "LOG_EVERY_S", 0.02)
    emulator.change_options(license_concurrency=1, batch_start_seconds=60.0, min_seconds=10.0)
    done = load(emulator, mode=mode)

    is_right_and_cheap(done, emulator)
    lines = [each for each in done.log if each.startswith("Progress: ")]
    assert any(told in each for each in lines), lines


# A start whose answer is lost


@pytest.mark.parametrize("has_history", [True, False])
def test_a_batch_whose_start_got_no_answer_is_paid_once_where_it_can_be_found(
    emulator: Emulator, *, has_history: bool
) -> None:
    if not has_history:
        emulator.inject(
            Fault(
                effect="error",
                path="history",
                times=None,
                status=403,
                code="ACCESS_DENIED_PERMISSIONS",
            )
        )
    emulator.inject(Fault(effect="reset_after", method="POST", path="query/batch$"))
    done = load(emulator)

    assert done.code == 0
    keeps_its_promise(done, emulator, ADS, first=FIRST)
    assert len(emulator.batches) == (1 if has_history else 2)
    told = "1 start of a query batch got no answer" in "\n".join(done.log)
    assert told is not has_history
    assert {each.last for each in emulator.queries} >= {LAST}
