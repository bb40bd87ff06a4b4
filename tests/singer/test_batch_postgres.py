"""A loader that takes BATCH stores the same values from files as from RECORD messages."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_supermetrics.emulator import Emulator
from tests.attack.driver import ADS, FIRST, LAST, options, settings_for
from tests.postgres import running_postgres
from tests.tap import command, truth

if TYPE_CHECKING:
    from tests.postgres import Postgres

COLUMNS = ("_sm_account_id", "_sm_date", *ADS["fields"])
ENCODINGS: dict[str, dict[str, str]] = {
    "lines": {},
    "gzip": {"format": "jsonl", "compression": "gzip"},
    "plain": {"format": "jsonl", "compression": "none"},
    "parquet": {"format": "parquet"},
}


def load(config: dict[str, Any], postgres: Postgres, schema: str, folder: Path) -> str:
    """Pipe the tap into the loader; return the state that it gives."""
    target = {**asdict(postgres), "default_target_schema": schema}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "target.json").write_text(json.dumps(target))
    tap_line = command("--config", str(folder / "config.json"))
    target_line = [str(Path(sys.executable).with_name("target-postgres")), "--config"]
    with subprocess.Popen(tap_line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tap:  # noqa: S603 - our own command
        done = subprocess.run(  # noqa: S603 - a loader of this environment
            [*target_line, str(folder / "target.json")],
            stdin=tap.stdout,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert (tap.returncode, done.returncode) == (0, 0), done.stderr[-2000:]
    return done.stdout


def test_postgres_stores_the_same_from_files_as_from_messages(tmp_path: Path) -> None:
    stored = {}
    with running_postgres() as postgres, Emulator(options=options()) as emulator:
        expected = truth(emulator, ADS, FIRST, LAST)
        for name, encoding in ENCODINGS.items():
            storage = {"root": (tmp_path / name).as_uri()}
            batch = {"encoding": encoding, "storage": storage, "batch_size": 10}
            changes = {"batch_config": batch} if encoding else {}
            state = load(settings_for(emulator, ADS, **changes), postgres, name, tmp_path)
            assert str(LAST) in state.splitlines()[-1]
            assert (tmp_path / name).exists() == bool(encoding)
            stored[name] = sorted(postgres.rows((name, "google_ads"), COLUMNS))
    assert len(stored["lines"]) == len(expected)
    assert all(each == stored["lines"] for each in stored.values())
