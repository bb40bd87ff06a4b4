"""What was submitted just now, and is not seen whole yet, is looked at again and not paid again."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tap_supermetrics.emulator import Emulator
from tap_supermetrics.extraction import polling
from tests.attack.driver import (
    ACCOUNTS,
    ADS,
    Killed,
    attempt,
    everything,
    keeps_its_promise,
    options,
    settings_for,
)
from tests.attack.liar import RESULTS, START, STATUS, Liar, Said, always, changed, http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.attack.driver import Attempt
    from tests.attack.liar import Lie

pytestmark = pytest.mark.timeout(120)
HISTORY = "GET .*query/history"
INFORMATION = "GET .*query/batch/[^/]*$"
ASYNC_STATUS = "GET .*query/status"
NEEDED = len(everything(ADS))


@pytest.fixture(scope="module")
def shared() -> Iterator[Liar]:
    with Emulator(options=options()) as emulator, Liar(emulator) as liar:
        yield liar


@pytest.fixture
def liar(shared: Liar, monkeypatch: pytest.MonkeyPatch) -> Liar:
    shared.emulator.reset()
    shared.forget()
    monkeypatch.setattr(polling, "YOUNG_S", 30.0)
    monkeypatch.setattr(polling, "UNSETTLED_S", 1.0)
    return shared


def load(liar: Liar, report: dict[str, Any] = ADS, **top: Any) -> Attempt:  # noqa: ANN401 - any setting
    return attempt(settings_for(liar.emulator, report, api_url=liar.url, **top))


def is_right_and_paid_once(done: Attempt, liar: Liar, needed: int = NEEDED) -> None:
    assert done.code == 0, "\n".join(done.log)
    keeps_its_promise(done, liar.emulator, ADS)
    assert len(liar.emulator.queries) == needed, "\n".join(done.log)


def refused(code: str, status: int) -> bytes:
    return http(json.dumps({"error": {"code": code, "message": "no"}}).encode(), status)


def once_each(lie: Lie) -> Lie:
    """A lie to the first request of each kind, the truth to all others."""
    seen: Counter[str] = Counter()

    def told(said: Said) -> Any:  # noqa: ANN401 - as a lie
        asked = f"{said.request.path} {said.request.query}"
        seen[asked] += 1
        return lie(said) if seen[asked] == 1 else http(said.body, said.status)

    return told


def at_the_end(change: Callable[[Any], None]) -> Lie:
    """A status that says it is the last, changed."""

    def lie(said: Said) -> bytes:
        answer = json.loads(said.body)
        if answer["meta"].get("status_code") == "STOPPED":
            change(answer)
        return http(json.dumps(answer).encode(), said.status)

    return lie


REFUSALS = [
    ("BATCH_UNKNOWN", 400),
    ("BATCH_ACCESS_DENIED", 403),
    ("FORBIDDEN", 403),
    ("UNPROCESSABLE_ENTITY", 422),
    ("", 403),
]


@pytest.mark.parametrize(("code", "status"), REFUSALS)
def test_a_status_that_is_refused_for_now_is_looked_at_again(
    liar: Liar, code: str, status: int
) -> None:
    liar.tell(STATUS, always(refused(code, status)), times=2)
    is_right_and_paid_once(load(liar), liar)


@pytest.mark.parametrize(
    ("code", "status"), [("RESULTS_NOT_READY", 400), ("", 425), ("QUERY_NOT_FINISHED", 409)]
)
@pytest.mark.parametrize("mode", ["batch", "async"])
def test_results_that_are_not_ready_by_whatever_word_are_looked_at_again(
    liar: Liar, mode: str, code: str, status: int
) -> None:
    liar.tell(RESULTS, once_each(always(refused(code, status))))
    is_right_and_paid_once(load(liar, mode=mode), liar)


def test_a_query_that_is_not_known_yet_by_whatever_word_is_looked_at_again(liar: Liar) -> None:
    liar.tell(ASYNC_STATUS, always(refused("QUERY_NOT_FOUND", 400)), times=3)
    is_right_and_paid_once(load(liar, mode="async"), liar)


@pytest.mark.parametrize("mode", ["batch", "async"])
def test_results_that_come_empty_at_first_are_read_again(liar: Liar, mode: str) -> None:
    def empty(said: Said) -> bytes:
        return http(json.dumps({**json.loads(said.body), "data": []}).encode(), said.status)

    liar.tell(RESULTS, once_each(empty))
    is_right_and_paid_once(load(liar, mode=mode), liar)


def running(answer: Any) -> None:  # noqa: ANN401 - any JSON
    answer["data"][-1] |= {"status_code": "RUNNING", "result_info": None}


def missing(answer: Any) -> None:  # noqa: ANN401 - any JSON
    answer["data"].pop()
    answer["meta"]["paginate"]["total"] -= 1


def empty(answer: Any) -> None:  # noqa: ANN401 - any JSON
    answer["data"] = []
    answer["meta"]["paginate"]["total"] = 0


@pytest.mark.parametrize("change", [running, missing, empty])
def test_a_batch_that_stopped_just_now_may_not_show_all_of_its_queries(
    liar: Liar, change: Callable[[Any], None]
) -> None:
    changes = iter([change])

    def once(answer: Any) -> None:  # noqa: ANN401 - any JSON
        next(changes, lambda _: None)(answer)

    liar.tell(STATUS, at_the_end(once))
    is_right_and_paid_once(load(liar), liar)


@pytest.mark.parametrize("where", [HISTORY, INFORMATION])
def test_a_start_whose_answer_was_lost_is_found_in_a_history_that_lags(
    liar: Liar, where: str
) -> None:
    nothing = {HISTORY: http(b'{"data": []}'), INFORMATION: refused("BATCH_NOT_FOUND", 404)}
    liar.tell(START, always(b""), times=1)
    liar.tell(where, always(nothing[where]), times=2)
    done = load(liar)

    is_right_and_paid_once(done, liar)
    assert "may have run unseen" not in "\n".join(done.log)


@pytest.mark.parametrize("times", [1, 2])
def test_a_team_list_is_learned_from_a_batch_that_shows_it_late(liar: Liar, times: int) -> None:
    liar.emulator.changes.change_list("AW", "mine", *ACCOUNTS)
    liar.tell("GET .*team/list.*", always(refused("ACCESS_DENIED_PERMISSIONS", 403)))
    late = [always(refused("BATCH_STATUS_NOT_FOUND", 404)), changed(empty)][times - 1]
    liar.tell(STATUS, late, times=times)
    done = load(liar, {**ADS, "ds_accounts": "list.mine"})

    assert done.code == 0, "\n".join(done.log)
    keeps_its_promise(done, liar.emulator, ADS)


def test_a_batch_of_a_killed_run_whose_status_is_refused_for_now_is_waited_for(liar: Liar) -> None:
    def die(*_: object) -> NoReturn:
        raise Killed

    config = settings_for(liar.emulator, ADS, api_url=liar.url)
    killed = attempt(config, keep=die)
    liar.tell(STATUS, always(refused("BATCH_UNKNOWN", 400)), times=2)
    is_right_and_paid_once(attempt(config, killed.bookmarks), liar)
