"""The fields of data sources, each list requested once, several at a time."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.verdicts import Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.api.fields import FieldInfo

T = TypeVar("T")

THREADS: Final = 4
"""How many lists of fields are requested at a time."""


class FieldLists:
    """Requests the fields of data sources, and stores what came.

    Args:
        client: the API.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._fields: dict[str, tuple[FieldInfo, ...]] = {}
        self._refused: dict[str, ApiError] = {}
        self._away: ApiError | None = None

    def of(self, ds_id: str) -> tuple[FieldInfo, ...] | None:
        """Return the fields of a data source; None where they could not be had."""
        return self._fields.get(ds_id)

    def refusal_of(self, ds_id: str) -> ApiError | None:
        """Return why the fields of a data source cannot be had; None where they can."""
        return self._refused.get(ds_id)

    def request(self, sources: Iterable[str]) -> None:
        """Request the fields of several data sources side by side.

        An error belongs to its data source only, and is stored for `refusal_of`: the API may well
        serve another.

        Raises:
            ApiError: the API refuses everything.
        """
        known = self._fields.keys() | self._refused.keys()
        missing = [each for each in dict.fromkeys(sources) if each not in known]
        answers = _side_by_side(self._answer_of, missing)
        for ds_id, answer in answers.items():
            self._store(ds_id, answer)
        for ds_id, error in [*self._refused.items()]:
            # Without a code that blames the key, answers to other requests show that it is right.
            if self._fields and error.refuses_everything and not error.code:
                del self._refused[ds_id]
                self._store(ds_id, self._answer_of(ds_id))
        for error in self._refused.values():
            error.raise_if_it_refuses_everything()

    def _store(self, ds_id: str, answer: tuple[FieldInfo, ...] | ApiError) -> None:
        if isinstance(answer, ApiError):
            self._refused[ds_id] = answer
        else:
            self._fields[ds_id] = answer

    def _answer_of(self, ds_id: str) -> tuple[FieldInfo, ...] | ApiError:
        is_there = self._client.service.is_there
        if self._away and not is_there:
            return self._away
        try:
            return self._client.fields(ds_id)
        except ApiError as error:
            if error.code and error.reach is Reach.SERVICE:
                self._away = error  # All others would wait for it too.
            return error


def _side_by_side(request: Callable[[str], T], names: Sequence[str]) -> dict[str, T]:
    """Return the answer for each name, in their order.

    The threads are daemons: a signal that ends the process does not wait for them.
    """
    answers: dict[str, T] = {}
    failures: list[BaseException] = []
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in names:
        waiting.put(name)

    def work() -> None:
        try:
            with suppress(queue.Empty):
                while name := waiting.get_nowait():
                    answers[name] = request(name)
        except BaseException as error:  # noqa: BLE001 - raised where the answers are awaited
            failures.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in names[:THREADS]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return {name: answers[name] for name in names}
