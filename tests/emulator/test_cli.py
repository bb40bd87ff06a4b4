"""The command."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from typing import get_type_hints

import pytest
import requests

from tap_supermetrics.emulator import Options
from tap_supermetrics.emulator.cli import main
from tap_supermetrics.emulator.options import BOUNDS, check_value, with_text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_a_configuration_serves_and_stops_cleanly(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "tap_supermetrics.emulator", "--port=0", "--clock-factor=2000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Stop it"):
                break
        text = "".join(lines)
        config = json.loads(text[text.index("\n{") : text.rindex("}") + 1])
        assert [query["name"] for query in config["queries"]] == [
            "google_ads",
            "facebook_ads",
            "ga4",
        ]
        for query in config["queries"]:
            answer = requests.post(
                f"{config['api_url']}/query/data/json",
                json={**query, "start_date": config["start_date"]},
                headers={"Authorization": f"Bearer {config['api_key']}"},
                timeout=10,
            )
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["data"]) > 7
        process.send_signal(number)
        assert process.wait(5) == 0


def test_a_taken_port_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["--port", str(taken.getsockname()[1])]) == 1
    assert "--port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("nonexistent.invalid", "another --host"),
        ("192.0.2.1", "another --host"),
        ("a..b", "another --host"),
    ],
)
def test_a_host_that_is_none_of_this_machine_is_told_by_its_name(
    host: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--host", host, "--port", "0"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tap-supermetrics-emulator: {host}:0: ")
    assert told in line
    assert "--port" not in line


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("nope=1", "'nope=1': expected name=value"),
        ("seed", "'seed': expected name=value"),
        ("seed=x", "seed: expected a whole number from 0 to 4,294,967,295, got 'x'"),
        ("numbers=roman", "numbers: expected one of json, strings, got 'roman'"),
        ("min_seconds=nan", "min_seconds: expected a number from 0 to"),
        ("latency_seconds=-1", "latency_seconds: expected a number from 0 to 3,600, got '-1.0'"),
        ("license_concurrency=0", "license_concurrency: expected a whole number from 1 to"),
        ("license_history_days=" + "9" * 5000, "license_history_days: expected a whole number"),
        ("timezone=Nowhere", 'timezone: "Nowhere" is not a time zone'),
        ("timezone=", 'timezone: "" is not a time zone'),
        ("timezone=America", 'timezone: "America" is not a time zone'),
        ("now=0001-01-01T00:00:00+00:00", "now: expected a time in the years 1970 to 2999"),
        ("other_api_key=", "other_api_key: expected ASCII"),
    ],
)
def test_a_wrong_option_is_explained(
    option: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--option", option])
    assert ended.value.code == 2
    assert f"error: argument --option: {told}" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["nan", "inf", "1e300", "-1", "fast"])
def test_a_clock_factor_is_a_number_that_time_can_go_by(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told(f"--clock-factor={text}", capsys, "a number from 0 to 1,000,000")


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1969-12-31T23:59:59+00:00", "soon"],
)
def test_the_start_is_a_time_that_dates_can_be_counted_from(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told(f"--now={text}", capsys, "expected a time")


@pytest.mark.parametrize("text", ["", "two words", "schlüssel"])
def test_a_key_is_one_that_a_header_can_carry(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told(f"--key={text}", capsys, "without spaces")


def told(argument: str, capsys: pytest.CaptureFixture[str], expected: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--port=0", argument])
    assert ended.value.code == 2
    name = argument.partition("=")[0]
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"error: argument {name}: " in line
    assert expected in line


def test_every_number_has_bounds_and_every_default_is_in_them() -> None:
    numbers = {
        name: getattr(Options(), name)
        for name, hint in get_type_hints(Options).items()
        if hint in (int, float)
    }
    assert numbers.keys() == BOUNDS.keys()
    for name in Options.__slots__:
        check_value(name, getattr(Options(), name))


def test_options_are_read_from_text() -> None:
    options = Options()
    for text in ("errors_in_200=true", "unfinished_status=200", "blank_metric=null", "cache_age=5"):
        options = with_text(options, text)
    assert options.errors_in_200
    assert (options.unfinished_status, options.blank_metric, options.cache_age) == (200, "null", 5)


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in Options.__slots__)
