"""The command."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys

import pytest
import requests

from tap_supermetrics.emulator import Options
from tap_supermetrics.emulator.cli import main
from tap_supermetrics.emulator.options import with_text


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


@pytest.mark.parametrize("option", ["nope=1", "seed", "seed=x", "numbers=roman"])
def test_a_wrong_option_is_explained(option: str) -> None:
    with pytest.raises(SystemExit, match=option.partition("=")[0]):
        main(["--option", option])


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
