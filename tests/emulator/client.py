"""What the tests send and how they look at answers."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from types import TracebackType

    from tap_supermetrics.emulator import Emulator

ACCOUNT, SECOND, SPARSE, EMPTY = "4713896205", "8820145937", "2645570913", "6604219873"
UNLICENSED, GONE = "3378451620", "9150336284"
FIELDS = ["Date", "CampaignID", "Campaignname", "Impressions", "Cost"]


BARE = {"settings": {"no_headers": True}}


def aw(**changes: object) -> dict[str, Any]:
    """A query of Google Ads: two days of one account, unless changed."""
    return {
        "ds_id": "AW",
        "ds_accounts": ACCOUNT,
        "start_date": "2024-05-01",
        "end_date": "2024-05-02",
        "fields": FIELDS,
        **changes,
    }


class Client:
    """A thin client: a session with the key, and shortcuts."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {emulator.api_key}"

    def __enter__(self) -> Client:  # noqa: PYI034 - `Self` is not in Python 3.10
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.session.close()

    def send(  # what `requests` takes
        self,
        method: str,
        path: str,
        **more: Any,  # noqa: ANN401 - same
    ) -> requests.Response:
        """Any request below the version."""
        return self.session.request(method, f"{self.emulator.url}/{path}", timeout=20, **more)

    def get(self, path: str, **params: object) -> requests.Response:
        """A GET with its parameters in `json`, as the docs prefer."""
        return self.send("GET", path, params={"json": json.dumps(params)} if params else None)

    def pass_time(self, seconds: float) -> None:
        """Let emulated seconds pass."""
        self.emulator.clock.advance(seconds)

    def finish(self) -> None:
        """Let everything under way finish, a minute at a time."""
        for _ in range(30):
            self.pass_time(60)
            if all(batch.status == "STOPPED" for batch in self.emulator.batches):
                return

    def start_batch(self, *queries: object, **more: object) -> requests.Response:
        """Start a batch."""
        return self.send("POST", "query/batch", json={"queries": list(queries), **more})

    def batch(self, *queries: object, **more: object) -> str:
        """Start a batch that must be accepted; its id."""
        answer = self.start_batch(*queries, **more)
        assert answer.status_code == 201, answer.text
        batch_id: str = answer.json()["data"]["batch_id"]
        return batch_id

    def status(self, batch_id: str, **params: object) -> dict[str, Any]:
        """The status of a batch."""
        answer = self.send("GET", f"query/batch/{batch_id}/status", params=params)
        assert answer.status_code == 200, answer.text
        status: dict[str, Any] = answer.json()
        return status

    def finished_batch(self, *queries: object, **more: object) -> list[dict[str, Any]]:
        """Run a batch to its end; its queries."""
        batch_id = self.batch(*queries, **more)
        self.finish()
        data: list[dict[str, Any]] = self.status(batch_id)["data"]
        return data

    def run(self, **changes: object) -> dict[str, Any]:
        """Run a single query to its end and give the answer of `query/status`."""
        started = self.send("POST", "query/data/json", json=aw(sync_timeout=0, **changes))
        assert started.status_code in {200, 202}, started.text
        self.pass_time(60)
        pages = {name: changes[name] for name in ("offset_start", "offset_end") if name in changes}
        answer: dict[str, Any] = self.get(
            "query/status", schedule_id=started.json()["meta"]["schedule_id"], **pages
        ).json()
        return answer

    def refused(self, **changes: object) -> tuple[int, str]:
        """The HTTP status and the code with which a query is refused at once."""
        answer = self.send("POST", "query/data/json", json=aw(sync_timeout=0, **changes))
        return failure(answer)

    def failed(self, **changes: object) -> str:
        """The code with which a query fails when it runs."""
        code: str = self.run(**changes)["error"]["code"]
        return code


def failure(answer: requests.Response) -> tuple[int, str]:
    """The HTTP status and error code of an answer."""
    return answer.status_code, answer.json()["error"]["code"]


def expected(api: Client, fields: list[str] | None = None) -> list[list[Any]]:
    """The rows of the query that `aw` gives."""
    first, last = date(2024, 5, 1), date(2024, 5, 2)
    asked_on = api.emulator.today
    return api.emulator.world.rows("AW", [ACCOUNT], first, last, fields or FIELDS, asked_on)
