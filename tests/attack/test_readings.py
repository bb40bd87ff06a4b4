"""Where the documents are silent: each reading gives the right rows at the right price, or is loud.

The emulator has an option for each reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.api.client import Client
from tap_supermetrics.emulator import Emulator, Fault
from tap_supermetrics.extraction import polling
from tests.attack.driver import ADS, FIRST, LAST, attempt, keeps_its_promise, options, settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def is_right_and_cheap(done: Attempt, emulator: Emulator) -> None:
    text = "\n".join(done.log)
    assert done.code == 0, text
    keeps_its_promise(done, emulator, ADS)
    assert len(emulator.queries) == NEEDED, text


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

    def status(client: Client, batch_id: str) -> object:
        if not cancelled:
            cancelled.append(batch_id)
            client.cancel_batch(batch_id)
        return ask(client, batch_id)

    monkeypatch.setattr(Client, "batch_status", status)
    done = load(emulator)

    keeps_its_promise(done, emulator, ADS)
    assert (done.code, len(emulator.batches)) == (0, 2)
    text = "\n".join(done.log)
    assert ", cancelled 2024-06-10T0" in text
    ended = [each for each in emulator.queries if each.status == "SUCCESS"]
    assert len(ended) == NEEDED


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
    told = "1 starts of query batches got no answer" in "\n".join(done.log)
    assert told is not has_history
    assert {each.last for each in emulator.queries} >= {LAST}
