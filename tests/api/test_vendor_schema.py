"""The vendor's OpenAPI file, held against what the emulator answers and what the tap asks.

The file comes with the sources of the vendor's Python client, of which the tests fetch a copy. Of
the endpoints that the tap uses, it has accounts and data.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests
import yaml
from jsonschema import Draft4Validator

from tap_supermetrics.emulator import Emulator, Fault, Options
from tests.tap import Target, config_for, sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VERSION: Final = "0.5.1"
ACCOUNTS, DATA = "/query/accounts", "/query/data/json"
ASKED: Final[dict[str, Any]] = {
    "ds_id": "AW",
    "ds_accounts": ["4713896205"],
    "fields": ["Date", "CampaignID", "Cost"],
    "start_date": "2024-05-01",
    "end_date": "2024-05-02",
}
REPORTS: Final[list[dict[str, Any]]] = [
    {
        "name": "google_ads",
        "ds_id": "AW",
        "ds_accounts": ["4713896205", "8820145937"],
        "fields": ["Date", "Campaignname", "Cost"],
        "filter": "Cost > 1",
        "settings": {"round_metrics_to": 2},
    },
    {
        "name": "facebook_ads",
        "ds_id": "FA",
        "ds_accounts": "list.all_accounts",
        "fields": ["Date", "spend"],
        "require_fresh_days": 2,
        "order_rows": "Date asc",
    },
]
DIFFERENCES: Final = {
    # Where the emulator is not as the file says, and why.
    "meta/schedule_id": "the documents show generated ids of 64 letters, the file allows 50",
    "meta/query/compare_type": "null where nothing is compared, as captured answers have it",
    "meta/query/compare_show": "the same",
    "meta/query/compare_start_date": "the same",
    "meta/query/compare_end_date": "the same",
    "meta/query/cache_minutes": "null where none were asked for, as captured answers have it",
    "meta/result/data_sampled": "null where it is not known, as captured answers have it",
    "meta/paginate/prev": "null where there is none, as the documents show it",
    "meta/paginate/next": "the same",
    "meta": "`workflow` and `progress` of a query that runs are in the documents, not in the file",
    "data": "the file has texts for all cells; the documents show numbers",
}


@pytest.fixture(scope="module")
def vendor(pytestconfig: pytest.Config) -> dict[str, Any]:
    """The file, as JSON Schema that allows no property which it does not name."""
    text = fetched(pytestconfig.cache.mkdir("supermetrics"))
    if not text:
        assert not os.environ.get("CI"), "the sources of the vendor's client cannot be fetched"
        pytest.skip("the sources of the vendor's client cannot be fetched")
    vendor: dict[str, Any] = _as_json_schema(yaml.safe_load(text))
    return vendor


def fetched(kept: Path) -> str:
    """The text of the file, which is kept in a folder; empty where it cannot be had."""
    archive = kept / f"supermetrics-{VERSION}.tar.gz"
    if not archive.exists():
        # An environment that uv made has no pip.
        pip = [sys.executable, "-m", "pip"] if importlib.util.find_spec("pip") else ["uvx", "pip"]
        line = [*pip, "download", "-qq", "--no-deps", "--no-binary", ":all:"]
        with tempfile.TemporaryDirectory(dir=kept) as folder:
            line += ["--dest", folder, f"supermetrics=={VERSION}"]
            subprocess.run(line, check=False, capture_output=True)  # noqa: S603 - our own command
            if not (fetched := Path(folder, archive.name)).exists():
                return ""
            # Whole or not at all: others fetch it too.
            fetched.replace(archive)
    with tarfile.open(archive) as opened:
        file = opened.extractfile(f"supermetrics-{VERSION}/openapi-spec.yaml")
        return file.read().decode() if file else ""


def _as_json_schema(node: Any) -> Any:  # noqa: ANN401 - any part of it
    """OpenAPI 3.0 as JSON Schema, draft 4, without freedom for more properties."""
    if isinstance(node, list):
        return [_as_json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: _as_json_schema(each) for key, each in node.items() if key != "example"}
    if made.pop("nullable", False) and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    if "properties" in made:
        made.setdefault("additionalProperties", False)
    return made


def differing(vendor: Mapping[str, Any], schema: Mapping[str, Any], found: object) -> set[str]:
    """Where a value is not as a schema of the file says: its path, of rows only `data`."""
    validator = Draft4Validator({**schema, "components": vendor["components"]})
    paths = ("/".join(map(str, each.absolute_path)) for each in validator.iter_errors(found))
    return {"data" if path.startswith("data/") else path for path in paths}


def answer_schema(vendor: Mapping[str, Any], path: str, status: int) -> Mapping[str, Any]:
    answer = vendor["paths"][path]["get"]["responses"][str(status)]
    for part in answer.get("$ref", "")[2:].split("/"):
        answer = (vendor if part == "components" else answer)[part] if part else answer
    schema: Mapping[str, Any] = answer["content"]["application/json"]["schema"]
    return schema


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(options=Options(clock_factor=500.0)) as running:
        yield running


def answered(emulator: Emulator, path: str, key: str = "", **asked: object) -> requests.Response:
    headers = {"Authorization": f"Bearer {key or emulator.api_key}"}
    address = f"{emulator.origin}/v2{path}"
    return requests.get(address, params={"json": json.dumps(asked)}, headers=headers, timeout=30)


@pytest.mark.parametrize("ds_id", ["AW", "FA", "GAWA"])
def test_accounts_are_answered_as_the_file_says(
    vendor: dict[str, Any], emulator: Emulator, ds_id: str
) -> None:
    answer = answered(emulator, ACCOUNTS, ds_id=ds_id, cache_minutes=60)
    assert answer.status_code == 200
    assert answer.json()["data"]
    assert differing(vendor, answer_schema(vendor, ACCOUNTS, 200), answer.json()) == set()


def test_data_are_answered_as_the_file_says_but_for_what_is_listed(
    vendor: dict[str, Any], emulator: Emulator
) -> None:
    schema = answer_schema(vendor, DATA, 200)
    running = answered(emulator, DATA, **ASKED, sync_timeout=0)
    finished = answered(emulator, DATA, **ASKED)
    assert (running.status_code, finished.status_code) == (202, 200)
    found = differing(vendor, schema, running.json()) | differing(vendor, schema, finished.json())
    assert found == {*DIFFERENCES}


@pytest.mark.parametrize(
    ("status", "changes", "code"),
    [
        (400, {"fields": ["nope"]}, ""),
        (400, {"start_date": "x"}, ""),
        (401, {"key": "wrong"}, ""),
        (403, {}, "FORBIDDEN"),
        (422, {}, "VALIDATION_ERROR"),
        (429, {}, "TOO_MANY_REQUESTS"),
        (500, {}, "INTERNAL_SERVER_ERROR"),
    ],
)
def test_errors_are_answered_as_the_file_says(
    vendor: dict[str, Any], emulator: Emulator, status: int, changes: dict[str, Any], code: str
) -> None:
    if code:
        emulator.inject(Fault(effect="error", code=code, status=status))
    answer = answered(emulator, DATA, **ASKED | changes)
    assert answer.status_code == status
    assert differing(vendor, answer_schema(vendor, DATA, status), answer.json()) == set()


def test_the_tap_asks_as_the_file_says(
    vendor: dict[str, Any], emulator: Emulator, tmp_path: Path
) -> None:
    emulator.reset()
    dates = {"start_date": "2024-05-30", "end_date": "2024-06-02"}
    config = config_for(emulator, REPORTS, mode="async", **dates)
    sync(config, tmp_path, Target())
    schemas = {
        ACCOUNTS: vendor["paths"][ACCOUNTS]["get"]["parameters"][0]["schema"],
        DATA: vendor["components"]["schemas"]["DataQuery"],
    }
    asked = {
        path: [each for each in emulator.requests if each.path.endswith(path)] for path in schemas
    }
    assert len(asked[ACCOUNTS]) == 2
    assert len(asked[DATA]) > 10
    for path, schema in schemas.items():
        for each in asked[path]:
            assert differing(vendor, schema, each.params) == set()
