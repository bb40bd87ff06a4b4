"""The outputs in docs/commands.md are what the commands print.

`RENEW_DOCS=1 ./dev test tests/commands/test_page.py` writes them anew; read the difference.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.emulator import Emulator, Fault, Options
from tests.house.generate import PROJECT
from tests.tap import Target, config_for, sync

if TYPE_CHECKING:
    from pathlib import Path

PAGE: Final = PROJECT / "docs" / "commands.md"
BLOCK: Final = re.compile(
    r"```console\n\$ tap-supermetrics (?P<line>.*)\n(?P<output>(?:(?!```).*\n)*)```"
)
REPORTS: Final[list[dict[str, Any]]] = [
    {
        "name": "google_ads",
        "ds_id": "AW",
        "ds_accounts": ["4713896205", "8820145937"],
        "fields": ["Date", "Campaignname", "Cost"],
    },
    {
        "name": "facebook_ads",
        "ds_id": "FA",
        "ds_accounts": ["act_1784203956017"],
        "fields": ["Date", "spend"],
    },
]
MISTAKES: Final[list[dict[str, Any]]] = [
    {**REPORTS[0], "ds_accounts": ["471-389-6205"]},
    {**REPORTS[1], "fields": ["Date", "adcampaign_name", "spend"]},
    {**REPORTS[1], "name": "facebook_costs", "fields": ["Date", "spendd"]},
]


def test_the_page_shows_what_the_commands_print(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    options = Options(clock_factor=200.0, now="2024-06-10T04:00:00+00:00")
    with Emulator(options=options) as emulator:
        config = config_for(
            emulator, REPORTS, start_date="2024-05-31", end_date="2024-06-09", lookback_days=0
        )
        target = Target()
        emulator.inject(Fault(effect="fail_query", code="BAD_REQUEST", ds_id="FA", times=1))
        sync(config, tmp_path, target)
        (tmp_path / "state.json").write_text(json.dumps(target.state))

        mistakes = config_for(emulator, MISTAKES, start_date="2024-05-31", end_date="2024-06-09")
        (tmp_path / "mistakes.json").write_text(json.dumps(mistakes))

        def printed(found: re.Match[str]) -> str:
            line = [sys.executable, "-m", "tap_supermetrics", *shlex.split(found["line"])]
            done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path)  # noqa: S603 - our own command
            assert done.stdout, done.stderr
            return f"```console\n$ tap-supermetrics {found['line']}\n{done.stdout}```"

        renewed = BLOCK.sub(printed, page)
    if os.environ.get("RENEW_DOCS"):
        PAGE.write_text(renewed, encoding="utf-8")
    assert len(BLOCK.findall(page)) == page.count("```console")
    assert renewed == page
