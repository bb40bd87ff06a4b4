"""Schemathesis on the emulator, by the vendor's OpenAPI file: whatever it makes up is answered.

Run apart from the tests, as it brings thirty packages with it:

    pip install schemathesis
    python -m tests.attack.openapi --examples 5000

The file knows two endpoints of those that the tap uses, accounts and data. Any answer must be a
status and a media type that it names, and no mistake of the emulator (some codes of the documents
are 500); whether its body is as the file says is held apart, with the differences named, in
`tests/api/test_vendor_schema.py`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tap_supermetrics.emulator import Emulator, Options
from tests.api.test_vendor_schema import fetched

PATHS: Final = "^/query/(accounts|data/json)$"
CHECKS: Final = "status_code_conformance,content_type_conformance"


def main() -> None:
    """Print what schemathesis found; the exit code is its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=500, help="of each endpoint")
    examples = parser.parse_args().examples
    program = shutil.which("schemathesis")
    options = Options(clock_factor=1e6, max_seconds=3.0)
    with Emulator(options=options) as emulator, tempfile.TemporaryDirectory() as folder:
        file = fetched(Path(folder))
        if not program or not file:
            sys.exit("expected schemathesis to be installed, and the vendor's file to be had")
        path = Path(folder, "openapi.yaml")
        path.write_text(file, encoding="utf-8")
        ended = subprocess.run(  # noqa: S603 - our own command
            [
                *(program, "run", str(path), "--url", emulator.url),
                *("--include-path-regex", PATHS, "--checks", CHECKS),
                *("--header", f"Authorization: Bearer {emulator.api_key}"),
                *("--max-examples", str(examples), "--continue-on-failure"),
                *("--phases", "examples,coverage,fuzzing"),
            ],
            check=False,
        )
        crashes = emulator.crashes
    for crash in crashes:
        sys.stderr.write(f"{crash}\n")
    sys.exit(ended.returncode or bool(crashes))


if __name__ == "__main__":
    main()
