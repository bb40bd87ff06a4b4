"""What people write wrong: one clear line for each mistake, exit code 1, nothing sent."""

from __future__ import annotations

import copy
import json
import logging
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click
import pytest

from tap_supermetrics.emulator import Emulator
from tap_supermetrics.errors import SettingsError, TapError
from tap_supermetrics.tap import TapSupermetrics
from tests.attack.driver import ADS, options, settings_for
from tests.attack.liar import Liar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(60)
LONGEST_LINE: Final = 600


@pytest.fixture(scope="module")
def shared() -> Iterator[Liar]:
    with Emulator(options=options()) as emulator, Liar(emulator) as running:
        yield running


@pytest.fixture
def liar(shared: Liar) -> Iterator[Liar]:
    shared.forget()
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    handlers = logging.root.handlers[:]
    yield shared
    logging.root.handlers[:] = handlers
    for each, handler in before.items():
        signal.signal(each, handler)


@dataclass(slots=True)
class Told:
    """How the command line ended."""

    code: int
    lines: tuple[str, ...]


def tell(*arguments: str) -> Told:
    """The command line within this process; what is no `TapError` escapes and fails the test."""
    try:
        TapSupermetrics.cli(list(arguments), standalone_mode=False)
    except SettingsError as error:
        return Told(error.exit_code, error.mistakes)
    except TapError as error:
        return Told(error.exit_code, (str(error),))
    except click.ClickException as error:
        return Told(error.exit_code, (error.format_message(),))
    return Told(0, ())


def refuses(told: Told, liar: Liar, *, said: str = "") -> None:
    assert told.code == 1, told
    assert told.lines
    for line in told.lines:
        assert "\n" not in line
        assert 0 < len(line) < LONGEST_LINE, line
        assert "Traceback" not in line
    assert said in "\n".join(told.lines), told.lines
    assert liar.requests == []


def usual(liar: Liar) -> dict[str, Any]:
    return settings_for(liar.emulator, ADS) | {"api_url": liar.url}


def write(folder: Path, name: str, value: object) -> str:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


class _Gone:
    """Stands for a value that is not there, by one name in every process."""

    def __repr__(self) -> str:
        return "gone"


GONE: Final = _Gone()
TOP: Final[list[tuple[str, Any]]] = [
    ("api_key", GONE),
    ("api_key", None),
    ("api_key", ""),
    ("api_key", "   "),
    ("api_key", "two words"),
    ("api_key", "línea"),
    ("api_key", "line\nbreak"),
    ("api_key", 17),
    ("api_key", ["a"]),
    ("api_key", "$SUPERMETRICS_KEY"),
    ("api_key", "${SUPERMETRICS_KEY}"),
    ("api_url", ""),
    ("api_url", "api.supermetrics.com"),
    ("api_url", "ftp://api.supermetrics.com"),
    ("api_url", "http://api.supermetrics.com/enterprise/v2"),
    ("api_url", "https://user:word@api.supermetrics.com"),
    ("api_url", "https://api.supermetrics.com/v2?team=1"),
    ("api_url", "https://[broken"),
    ("api_url", "https://"),
    ("api_url", "https:///v2"),
    ("api_url", "https://host:port/v2"),
    ("api_url", "https://host:99999/v2"),
    ("api_url", 3),
    ("queries", GONE),
    ("queries", []),
    ("queries", {}),
    ("queries", "google_ads"),
    ("queries", "[{]"),
    ("queries", [None]),
    ("queries", [[]]),
    ("queries", [{}]),
    ("queries", [{"name": "a"}]),
    ("queries", [ADS, ADS]),
    ("queries", [ADS, {**ADS, "name": "GOOGLE_ads"}]),
    ("start_date", "soon"),
    ("start_date", "2024-02-30"),
    ("start_date", "2024-1-1"),
    ("start_date", "01.06.2024"),
    ("start_date", 20240601),
    ("start_date", "nine weeks ago"),
    ("start_date", "last day of may -1 day"),
    ("start_date", "monday 2 weeks ago"),
    ("start_date", "99999 years ago"),
    ("start_date", "-3 days ago"),
    ("start_date", "99999999 days ago"),
    ("start_date", "0001-01-01"),
    ("start_date", "2024-06-30"),
    ("end_date", "2024-06-00"),
    ("timezone", "Mars/Olympus"),
    ("timezone", "../../etc/passwd"),
    ("timezone", "/etc/passwd"),
    ("timezone", 2),
    ("timezone", "UTC\0"),
    ("lookback_days", -1),
    ("lookback_days", 1.5),
    ("lookback_days", "three"),
    ("lookback_days", True),
    ("lookback_days", 10**30),
    ("max_rows", 0),
    ("page_size", 0),
    ("query_concurrency", 51),
    ("timeout_minutes", 61),
    ("max_running_batches", 3),
    ("requests_per_second", 0),
    ("requests_per_second", -1),
    ("requests_per_second", "fast"),
    ("requests_per_second", "nan"),
    ("requests_per_second", "inf"),
    ("requests_per_second", []),
    ("on_failure", "ignore"),
    ("on_failure", 1),
    ("mode", "fast"),
    ("split_dates_policy", "week"),
    ("split_accounts_policy", True),
    ("on_type_mismatch", "guess"),
    ("metadata_columns", "maybe"),
    ("strat_date", "2024-01-01"),
    ("batch_description", ["x"]),
]
REPORT: Final[list[tuple[str, Any]]] = [
    ("name", GONE),
    ("name", ""),
    ("name", 3),
    ("name", "a b/c"),
    ("ds_id", GONE),
    ("ds_id", ["AW"]),
    ("fields", GONE),
    ("fields", []),
    ("fields", ""),
    ("fields", ["Date", ""]),
    ("fields", ["Date", "date"]),
    ("fields", ["Date", None]),
    ("fields", {"Date": 1}),
    ("fields", ["_sm_date"]),
    ("ds_accounts", []),
    ("ds_accounts", {"filter": "x"}),
    ("ds_accounts", {"filter_id": "(["}),
    ("ds_accounts", {"filter_id": 3}),
    ("ds_accounts", {"filter_id": "a", "filter_name": "b"}),
    ("ds_accounts", ["list.x", "1"]),
    ("ds_accounts", "list."),
    ("ds_accounts", [1.5]),
    ("ds_accounts", [["1"]]),
    ("settings", []),
    ("settings", {"no_headers": False}),
    ("filter", 3),
    ("cache_minutes", -1),
    ("date_range_type", "Last 3 days"),
    ("key_properties", ["Nothing"]),
    ("replication_key", "Nothing"),
    ("types", {"Nothing": "int.number.value"}),
    ("types", {"Cost": "decimal"}),
    ("types", {"Cost": 3}),
    ("types", "int"),
    ("start_date", "later"),
    ("unknown", 1),
]


def put(into: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    changed = {**into, key: value}
    if value is GONE:
        del changed[key]
    return changed


def shown(value: object) -> str:
    return repr(value)[:40]


@pytest.mark.parametrize(("key", "value"), TOP, ids=shown)
def test_a_mistake_in_the_configuration_is_told_by_its_name(
    key: str, value: object, liar: Liar, tmp_path: Path
) -> None:
    config = write(tmp_path, "config.json", put(usual(liar), key, value))
    refuses(tell("--config", config), liar, said=key)


@pytest.mark.parametrize(("key", "value"), REPORT, ids=shown)
def test_a_mistake_in_a_report_is_told_by_its_path(
    key: str, value: object, liar: Liar, tmp_path: Path
) -> None:
    good = {**ADS, "name": "good"}
    config = usual(liar) | {"queries": [good, put(ADS, key, value)]}
    told = tell("--config", write(tmp_path, "config.json", config))
    refuses(told, liar, said=f"queries[1].{key}")


FILES: Final = ["", "{", "[]", "3", "null", '"x"', "{'a': 1}", '{"a": 1,}', "\0", "a: b"]


@pytest.mark.parametrize("option", ["--config", "--state", "--catalog"])
@pytest.mark.parametrize("text", FILES, ids=shown)
def test_a_file_that_is_no_json_object_is_told_by_its_option(
    option: str, text: str, liar: Liar, tmp_path: Path
) -> None:
    bad = write(tmp_path, "bad.json", text)
    line = [option, bad]
    if option != "--config":
        line += ["--config", write(tmp_path, "config.json", usual(liar))]
    refuses(tell(*line), liar, said="api_key" if option == "--config" and text == "[]" else option)


def test_a_file_that_is_not_there_or_no_text_is_told(liar: Liar, tmp_path: Path) -> None:
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00{")
    config = write(tmp_path, "config.json", usual(liar))
    for line in (
        ["--config", str(tmp_path / "none.json")],
        ["--config", str(tmp_path)],
        ["--config", str(tmp_path / "binary.json")],
        ["--config", config, "--state", str(tmp_path / "binary.json")],
        ["--config", config, "--catalog", str(tmp_path / "binary.json")],
    ):
        told = tell(*line)
        assert told.code in {1, 2}
        assert len(told.lines) == 1
    assert liar.requests == []


@pytest.mark.parametrize("option", ["--state", "--catalog"])
def test_a_file_that_opens_but_cannot_be_read_is_told_by_its_option(
    option: str, liar: Liar, tmp_path: Path
) -> None:
    """As on a disk that fails, or in a network folder that is gone; it is not the output."""
    broken = "/proc/self/mem"
    told = tell("--config", write(tmp_path, "config.json", usual(liar)), option, broken)
    refuses(told, liar, said=f"{option}: {broken} cannot be read (")


BATCH: Final[dict[str, Any]] = {
    "batch_id": "qrb_0a1b2c3d4e5f",
    "submitted_at": "2024-06-10T03:59:00+00:00",
    "split_dates": True,
    "split_accounts": True,
    "items": [{"place": 0, "accounts": ["4713896205"], "dates": ["2024-06-07", "2024-06-09"]}],
}
PARTITION: Final[dict[str, Any]] = {
    "context": {"account_id": "4713896205"},
    "replication_key": "Date",
    "replication_key_value": "2024-06-08",
    "covered": [["2024-06-07", "2024-06-08"]],
}
STATES: Final[list[tuple[str, Any]]] = [
    ("", {"bookmarks": []}),
    ("", {"bookmarks": None}),
    ("", {"bookmarks": "google_ads"}),
    ("", {"bookmarks": {"google_ads": []}}),
    ("", {"bookmarks": {"google_ads": None}}),
    ("", {"bookmarks": {"google_ads": "2024-06-08"}}),
    ("partitions", {}),
    ("partitions", "4713896205"),
    ("partitions", [None]),
    ("partitions", ["4713896205"]),
    ("partitions", [{}]),
    ("partitions", [{"context": None}]),
    ("partitions", [{"context": {}}]),
    ("partitions", [{"context": []}]),
    ("partitions", [{**PARTITION, "replication_key_value": "yesterday"}]),
    ("partitions", [{**PARTITION, "replication_key_value": 20240608}]),
    ("partitions", [{**PARTITION, "replication_key_value": ["2024-06-08"]}]),
    ("partitions", [{**PARTITION, "replication_key_value": "2024-06-31"}]),
    ("partitions", [{**PARTITION, "covered": None}]),
    ("partitions", [{**PARTITION, "covered": 3}]),
    ("partitions", [{**PARTITION, "covered": "all"}]),
    ("partitions", [{**PARTITION, "covered": ["2024-06-07", "2024-06-08"]}]),
    ("partitions", [{**PARTITION, "covered": [["2024-06-08", "2024-06-07"]]}]),
    ("partitions", [{**PARTITION, "covered": [["2024-06-08"]]}]),
    ("partitions", [{**PARTITION, "covered": [["2024-06-08", None]]}]),
    ("partitions", [{**PARTITION, "covered": [["2024-06-07", "2024-06-08", "x"]]}]),
    ("partitions", [{**PARTITION, "covered": {"2024-06-07": "2024-06-08"}}]),
    ("partitions", [{**PARTITION, "stale": "some"}]),
    ("partitions", [{**PARTITION, "stale": [["2024-06-09", "2024-06-01"]]}]),
    ("replication_key_value", "last week"),
    ("replication_key_value", 5),
    ("query_batches", {}),
    ("query_batches", "qrb_0a1b2c3d4e5f"),
    ("query_batches", [None]),
    ("query_batches", ["qrb_0a1b2c3d4e5f"]),
    ("query_batches", [{}]),
    ("query_batches", [put(BATCH, "batch_id", GONE)]),
    ("query_batches", [put(BATCH, "submitted_at", "today")]),
    ("query_batches", [put(BATCH, "submitted_at", "2024-06-10T03:59:00")]),
    ("query_batches", [put(BATCH, "submitted_at", 1717991940)]),
    ("query_batches", [put(BATCH, "items", None)]),
    ("query_batches", [put(BATCH, "items", 3)]),
    ("query_batches", [put(BATCH, "items", [{}])]),
    ("query_batches", [put(BATCH, "items", [{**BATCH["items"][0], "place": "first"}])]),
    ("query_batches", [put(BATCH, "items", [{**BATCH["items"][0], "accounts": "471"}])]),
    ("query_batches", [put(BATCH, "items", [{**BATCH["items"][0], "accounts": [471]}])]),
    ("query_batches", [put(BATCH, "items", [{**BATCH["items"][0], "accounts": None}])]),
    ("query_batches", [put(BATCH, "items", [{**BATCH["items"][0], "dates": "2024-06-07"}])]),
    ("query_batches", [put(BATCH, "items", [{**BATCH["items"][0], "dates": ["2024-06-07"]}])]),
    (
        "query_batches",
        [put(BATCH, "items", [{**BATCH["items"][0], "dates": ["0001-01-01", "9999-12-31"]}])],
    ),
    ("not_before", "long ago"),
    ("async_run", "run"),
    ("async_run", {}),
    ("async_run", {"run_id": "x", "started_at": "2024-06-10T03:59:00"}),
]


@pytest.mark.parametrize(("key", "value"), STATES, ids=shown)
def test_a_state_that_a_hand_has_spoilt_is_told_by_its_path(
    key: str, value: object, liar: Liar, tmp_path: Path
) -> None:
    state = {"bookmarks": {"google_ads": {key: value}}} if key else value
    config = write(tmp_path, "config.json", usual(liar))
    told = tell("--config", config, "--state", write(tmp_path, "state.json", state))
    refuses(
        told,
        liar,
        said=f"state.bookmarks.google_ads{'.' + key if key != 'replication_key_value' else ''}"
        if key
        else "state",
    )


ODD_BUT_FINE: Final[list[Any]] = [
    {},
    {"bookmarks": {}},
    {"bookmarks": {"removed_report": {"partitions": "what an older version wrote"}}},
    {"bookmarks": {"google_ads": {}}},
    {"bookmarks": {"google_ads": {"replication_key_value": "2024-06-08"}}},
    {"bookmarks": {"google_ads": {"replication_key_value": "2024-06-08T00:00:00Z"}}},
    {"bookmarks": {"google_ads": {"partitions": [{"context": {"account_id": "1"}}]}}},
    {
        "bookmarks": {
            "google_ads": {"partitions": [{**PARTITION, "covered": [["0001-01-01", "0001-01-02"]]}]}
        }
    },
    {"bookmarks": {"google_ads": {"query_batches": [BATCH, BATCH]}}},
    {
        "bookmarks": {
            "google_ads": {
                "query_batches": [
                    put(BATCH, "items", [{**BATCH["items"][0], "place": -1, "dates": None}])
                ]
            }
        }
    },
]


@pytest.mark.parametrize("state", ODD_BUT_FINE, ids=shown)
def test_a_state_that_is_odd_but_clear_is_understood(
    state: object, liar: Liar, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write(tmp_path, "config.json", usual(liar) | {"lookback_days": 3})
    told = tell("--config", config, "--state", write(tmp_path, "state.json", state))
    assert told == Told(0, ())
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["type"] == "STATE"


def catalog(liar: Liar, folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert tell("--config", write(folder, "config.json", usual(liar)), "--discover").code == 0
    liar.forget()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


CATALOGS: Final[list[tuple[tuple[str | int, ...], Any]]] = [
    (("streams",), GONE),
    (("streams",), None),
    (("streams",), {}),
    (("streams",), "google_ads"),
    (("streams",), ["google_ads"]),
    (("streams",), [None]),
    (("streams",), [{}]),
    (("streams", 0, "schema"), GONE),
    (("streams", 0, "schema"), None),
    (("streams", 0, "schema"), []),
    (("streams", 0, "schema"), "object"),
    (("streams", 0, "schema", "properties"), []),
    (("streams", 0, "schema", "properties"), None),
    (("streams", 0, "tap_stream_id"), GONE),
    (("streams", 0, "tap_stream_id"), 3),
    (("streams", 0, "tap_stream_id"), ["google_ads"]),
    (("streams", 0, "metadata"), None),
    (("streams", 0, "metadata"), {}),
    (("streams", 0, "metadata"), "all"),
    (("streams", 0, "metadata"), [None]),
    (("streams", 0, "metadata"), [{}]),
    (("streams", 0, "metadata", 0, "breadcrumb"), GONE),
    (("streams", 0, "metadata", 0, "breadcrumb"), None),
    (("streams", 0, "metadata", 0, "breadcrumb"), [[]]),
    (("streams", 0, "metadata", 0, "metadata"), GONE),
    (("streams", 0, "metadata", 0, "metadata"), []),
    (("streams", 0, "metadata", 0, "metadata"), "selected"),
    (("streams", 0, "key_properties"), "Date"),
    (("streams", 0, "key_properties"), 3),
    (("streams", 0, "key_properties"), ["Nothing"]),
    (("streams", 0, "replication_key"), 3),
    (("streams", 0, "replication_key"), "Nothing"),
    (("streams", 0, "replication_method"), "SOMETIMES"),
    (("streams", 0, "stream_alias"), 3),
    (("streams", 0, "schema", "properties", "Cost", "type"), 5),
    (("streams", 0, "schema", "properties", "Cost", "type"), [None]),
    (("streams", 0, "schema", "properties", "Cost", "anyOf"), [1]),
    (("streams", 0, "schema", "properties", "Cost"), {"oneOf": "x"}),
    (("streams", 0, "schema", "properties", "Cost"), {"allOf": [{"type": "integer"}]}),
    (("streams", 0, "schema", "properties", "Cost"), {"$ref": "#/x"}),
]


@pytest.mark.parametrize(("path", "value"), CATALOGS, ids=shown)
def test_a_catalog_that_is_spoilt_is_told_or_does_no_harm(
    path: tuple[Any, ...],
    value: object,
    liar: Liar,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = copy.deepcopy(catalog(liar, tmp_path, capsys))
    place: Any = found
    for part in path[:-1]:
        place = place[part]
    if value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    config = write(tmp_path, "config.json", usual(liar))
    told = tell("--config", config, "--catalog", write(tmp_path, "catalog.json", found))
    if told.code:
        # What the report's columns are is asked before a catalog can be held against them.
        asked = [each for each in liar.requests if "query/fields" not in each]
        liar.requests[:] = asked
        refuses(told, liar, said="catalog")
