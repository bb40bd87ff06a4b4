#!/usr/bin/env python3
"""Run `meltano run` and end with the exit code of the extractor, which Meltano turns into 1.

`./meltano_run.py tap-supermetrics target-postgres` takes the arguments of `meltano run`. Meltano's
log in JSON names the exit codes of a block that failed; they are read from there. Where the
extractor fails before, in the discovery of its catalog, the code stands in the text of the error.
Nothing else is needed than Python 3.10 and Meltano.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

DISCOVERY_FAILED = re.compile(
    r"[^\[]*: Catalog discovery failed: command \[.*?\] returned (\d+) with"
)


def main() -> int:
    """Run Meltano, pass its log on, and return the exit code."""
    env = os.environ | {"MELTANO_CLI_LOG_FORMAT": "json"}
    code = 0
    with subprocess.Popen(
        ["meltano", "run", *sys.argv[1:]], env=env, stderr=subprocess.PIPE, text=True
    ) as meltano:
        # Whoever stops this stops the pipeline.
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda number, _: meltano.send_signal(number))
        for line in meltano.stderr or ():
            event = parsed(line)
            print(f"{event.get('level', ''):8} {event.get('event', line.rstrip())}", flush=True)
            code = extractor_code(event) or code
    return code if meltano.returncode == 1 and code > 0 else abs(meltano.returncode)


def parsed(line: str) -> dict:
    """Return a line of the log; one that is no JSON has no values."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def extractor_code(event: dict) -> int:
    """Return the exit code of the extractor that a failed block tells of; 0 for none."""
    codes = event.get("exit_codes")
    if not isinstance(codes, dict):
        return 0
    undiscovered = DISCOVERY_FAILED.match(str(event.get("err")))
    return int(undiscovered[1]) if undiscovered else codes.get("extractors", 0)


if __name__ == "__main__":
    sys.exit(main())
