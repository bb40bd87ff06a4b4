"""The first evening in docs/first-evening.md is what its commands print, run one after another.

`RENEW_DOCS=1 ./dev test tests/commands/test_first_evening_page.py` writes it anew; read the
difference.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tap_supermetrics.emulator import Emulator, Options
from tests.house.generate import PROJECT

PAGE: Final = PROJECT / "docs" / "first-evening.md"
BLOCK: Final = re.compile(r"```console\n((?:(?!```).*\n)*)```")
SHOWN: Final = "http://127.0.0.1:8190"
END: Final = "--- the command has ended ---"


def test_the_page_shows_what_the_commands_print(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    commands = [
        line.removeprefix("$ ")
        for block in BLOCK.findall(page)
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    options = Options(clock_factor=200.0, now="2024-06-10T04:00:00+00:00")
    with Emulator(options=options) as emulator:
        # One shell for all, as they set variables for each other.
        script = f"\necho '{END}'\n".join(commands).replace(SHOWN, emulator.origin)
        env = {name: value for name, value in os.environ.items() if "SUPERMETRICS" not in name}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
        done = subprocess.run(  # noqa: S603 - the commands of our own page
            ["/bin/sh", "-c", script],
            cwd=tmp_path,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        printed = iter(done.stdout.replace(emulator.origin, SHOWN).split(f"{END}\n"))

    def renewed(block: re.Match[str]) -> str:
        lines = [each for each in block[1].splitlines() if each.startswith("$ ")]
        shown = "".join(f"{each}\n{next(printed)}" for each in lines)
        return f"```console\n{shown}```"

    told = BLOCK.sub(renewed, page)
    if os.environ.get("RENEW_DOCS"):
        PAGE.write_text(told, encoding="utf-8")
    assert told == page
    assert "exit code 3" in page
    assert "exit code 0" in page
