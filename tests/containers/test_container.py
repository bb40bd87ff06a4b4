"""The example's script as process 1 of a container: nobody, read only, 256 MiB, SIGTERM."""

from __future__ import annotations

import json
import signal
import sys
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tap_supermetrics.emulator import Emulator, Options
from tests.containers import sealed
from tests.demo.processes import PROJECT
from tests.tap import Target, config_for, days_covered, truth

if TYPE_CHECKING:
    from collections.abc import Iterator

NIGHTLY: Final = str(PROJECT / "examples" / "container" / "nightly")
FIRST, LAST = date(2024, 5, 1), date(2024, 6, 9)
REPORT: Final[dict[str, Any]] = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": ["4713896205", "8820145937"],
    "fields": ["Date", "Campaignname", "Device", "Cost"],
}
NEEDED: Final = 2 * ((LAST - FIRST).days + 1)
PROBE: Final = """
import errno, os, sys
print(os.getuid(), os.getgid(), os.getpid())
for folder in sys.argv[1:]:
    try:
        open(os.path.join(folder, "written"), "w")
        print("written", folder)
    except OSError as error:
        print(errno.errorcode[error.errno], folder)
"""
pytestmark = pytest.mark.skipif(bool(sealed.why_not()), reason=sealed.why_not() or "it can be made")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    options = Options(clock_factor=60.0, now="2024-06-10T04:00:00+00:00", max_seconds=6.0)
    with Emulator(options=options) as running:
        yield running


def settings(emulator: Emulator, folder: Path) -> tuple[Path, dict[str, str]]:
    """Write the folder of settings; give it and the environment of a container."""
    config = folder / "config"
    config.mkdir()
    values = config_for(emulator, [REPORT], start_date=str(FIRST), end_date=str(LAST))
    del values["api_key"]
    loader = folder / "config" / "loader"
    loader.write_text(f"#!{sys.executable}\n{Path(__file__).with_name('loader.py').read_text()}")
    loader.chmod(0o755)
    (config / "config.json").write_text(json.dumps(values))
    (config / "target.json").write_text(json.dumps({"file": "/data/loaded.jsonl"}))
    return config, {
        "CONFIG": str(config),
        "TAP": str(Path(sys.executable).with_name("tap-supermetrics")),
        "LOADER": str(loader),
        "TAP_SUPERMETRICS_API_KEY": emulator.api_key,
    }


def loaded(folder: Path) -> Target:
    target = Target()
    for line in (folder / "data" / "loaded.jsonl").read_text().splitlines(keepends=True):
        if line.endswith("}\n"):  # a kill tears the last one
            target.read(line)
    return target


def test_nobody_writes_but_to_the_volume(tmp_path: Path) -> None:
    folders = ["/", "/usr", str(PROJECT), sys.prefix, "/data"]
    line = [sys.executable, "-c", PROBE, *folders]
    with sealed.started(tmp_path, tmp_path, line, {}) as container:
        said = container.outside.communicate()[0].splitlines()

    assert said[0] == f"{sealed.NOBODY} {sealed.NOBODY} 1"
    assert said[1:] == [*(f"EROFS {each}" for each in folders[:-1]), "written /data"]


def test_the_limit_of_memory_is_one(tmp_path: Path) -> None:
    line = [sys.executable, "-c", "held = b'x' * (300 << 20); print('held')"]
    with sealed.started(tmp_path, tmp_path, line, {}) as container:
        said = container.outside.communicate()[0]
        was_out_of_memory = container.was_out_of_memory()

    assert was_out_of_memory, said
    assert "held" not in said


def test_a_night_is_loaded_and_after_sigterm_the_next_container_goes_on(
    emulator: Emulator, tmp_path: Path
) -> None:
    config, env = settings(emulator, tmp_path)
    with sealed.started(tmp_path, config, [NIGHTLY], env) as container:
        wait_for_records(container, tmp_path)
        container.send(signal.SIGTERM)
        at = time.monotonic()
        code = container.outside.wait(60)
        took = time.monotonic() - at
        said = container.outside.communicate()[0]
    assert code == 143, said
    assert took < 5, f"{took:.1f} s"
    assert len(loaded(tmp_path).tables["google_ads"]) < len(rows(emulator))
    arrived = covered(tmp_path)
    assert arrived

    go_on(emulator, tmp_path, config, env)
    # What still ran was cancelled, and is submitted again; what arrived is not.
    assert len(emulator.queries) <= 2 * NEEDED - arrived


def test_after_sigkill_the_next_container_pays_nothing_twice(
    emulator: Emulator, tmp_path: Path
) -> None:
    config, env = settings(emulator, tmp_path)
    with sealed.started(tmp_path, config, [NIGHTLY], env) as container:
        wait_for_records(container, tmp_path)
        container.send(signal.SIGKILL)
        container.outside.communicate()
    assert len(loaded(tmp_path).tables["google_ads"]) < len(rows(emulator))

    go_on(emulator, tmp_path, config, env)
    assert len(emulator.queries) <= 1.05 * NEEDED


def wait_for_records(container: sealed.Running, folder: Path) -> None:
    """Wait until a state came after records, so that there is something to lose."""
    file = folder / "data" / "loaded.jsonl"
    while (
        not file.exists()
        or '"RECORD"' not in (text := file.read_text())
        or '"STATE"' not in text[text.index('"RECORD"') :]
    ):
        assert container.outside.poll() is None, container.outside.communicate()[0]
        time.sleep(0.02)


def covered(folder: Path) -> int:
    """Return how many days of accounts the state says are done."""
    state = json.loads((folder / "data" / "shard-1-of-1" / "state.json").read_text())
    ranges = days_covered(state["bookmarks"]["google_ads"]).values()
    return sum(
        (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
        for account in ranges
        for first, last in account
    )


def go_on(emulator: Emulator, folder: Path, config: Path, env: dict[str, str]) -> None:
    """Run a second container over the volume of the first, to its end."""
    with sealed.started(folder, config, [NIGHTLY], env) as container:
        said = container.outside.communicate()[0]
        assert container.outside.returncode == 0, said
        most = container.most_memory()

    assert loaded(folder).tables["google_ads"] == rows(emulator)
    assert most < sealed.LIMIT
    own = folder / "data" / "shard-1-of-1"
    assert [each.name for each in own.iterdir()] == ["state.json"]
    assert emulator.api_key not in said


def rows(emulator: Emulator) -> dict[Any, Any]:
    return truth(emulator, REPORT, FIRST, LAST)
