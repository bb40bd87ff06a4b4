"""Two nights of a pipeline against an emulated Supermetrics: `./dev demo` runs it.

The first run loads two weeks of three reports into JSON lines. Then a day passes: the emulator's
clock moves on, and the networks restate their latest days. The second run asks for the new day
and for the days that may have been restated, and for nothing else.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from tests.demo import processes
from tests.demo.arrivals import Arrivals, keys_in, take
from tests.demo.emulator import Emulator, running_emulator
from tests.demo.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.demo.arrivals import Added
    from tests.demo.emulator import Query

PAGE = processes.PROJECT / "output" / "demo" / "index.html"
DATA_SOURCES = {"google_ads": "AW", "facebook_ads": "FA", "web_traffic": "GAWA"}
SPEND = {"google_ads": "Cost", "facebook_ads": "spend"}
HEADER = f"  {'stream':<13} {'queries':>7} {'accounts':>8} {'days':>5} {'rows':>7} {'spend':>13}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The parts of the demo.

    Attributes:
        emulator: the API.
        pipeline: Meltano.
        output: folder into which the loader writes.
        warehouse: per stream the rows that arrived, filled by the first run.
    """

    emulator: Emulator
    pipeline: Pipeline
    output: Path
    warehouse: dict[str, Arrivals]

    def night(self, end_date: str) -> tuple[Sequence[Query], Mapping[str, Added]]:
        """One run; gives what it asked for and what arrived."""
        before = len(self.emulator.queries())
        self.pipeline.run(end_date=end_date)
        if not self.warehouse:
            keys = keys_in(self.pipeline.catalog)
            self.warehouse.update(
                {name: Arrivals(key=keys[name], spend=SPEND.get(name)) for name in DATA_SOURCES}
            )
        added = {name: each.add(take(self.output, name)) for name, each in self.warehouse.items()}
        return self.emulator.queries()[before:], added

    def table(self, queries: Sequence[Query]) -> str:
        """A line per stream: the queries of a run, and what the warehouse holds since."""
        lines = [HEADER]
        for name, arrivals in self.warehouse.items():
            asked = sum(query.ds_id == DATA_SOURCES[name] for query in queries)
            lines.append(f"  {name:<13} {asked:>7} {arrivals.line()}".rstrip())
        return "\n".join(lines)


def main() -> int:
    """Run the demo; gives the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    started = time.monotonic()
    try:
        with prepared(datetime.now(timezone.utc).date() - timedelta(days=1)) as demo:
            two_nights(demo)
    except processes.StepFailedError as error:
        say(f"\n{error}\n\nThe demo failed.")
        return 1
    except KeyboardInterrupt:
        say("\nStopped.")
        return 128 + signal.SIGINT
    say(f"\nAll as it should be, in {time.monotonic() - started:.0f} s. Nothing is left running.")
    return 0


@contextmanager
def prepared(today: date) -> Iterator[Demo]:
    """The emulator at this day, Meltano with its plugins, and empty folders."""
    with tempfile.TemporaryDirectory() as folder, running_emulator(today) as emulator:
        output = Path(folder, "output")
        shutil.rmtree(PAGE.parent, ignore_errors=True)
        env = {
            "TAP_SUPERMETRICS_API_URL": emulator.api_url,
            "TAP_SUPERMETRICS_API_KEY": emulator.api_key,
            "TARGET_JSONL_DESTINATION_PATH": str(output),
            "TAP_SUPERMETRICS_REPORT_DIR": str(PAGE.parent),
        }
        pipeline = Pipeline(loader="target-jsonl", memory=Path(folder), env=env)
        if not pipeline.is_installed:
            say("Meltano installs the tap and target-jsonl (only the first time).")
            pipeline.install()
        say(f"An emulated Supermetrics is at {emulator.origin}; its calendar shows {today}.")
        yield Demo(emulator=emulator, pipeline=pipeline, output=output, warehouse={})


def two_nights(demo: Demo) -> None:
    """Both runs, with a day in between, and what they loaded.

    Raises:
        StepFailedError: a run failed, or loaded something else than it should.
    """
    say("\nNight 1: meltano run tap-supermetrics target-jsonl")
    queries, added = demo.night("2 days ago")
    say(demo.table(queries))
    check(added)
    say("\nA day passes.\n\nNight 2: the same command")
    demo.emulator.pass_a_day()
    first_night = max(query.last for query in queries)
    queries, added = demo.night("yesterday")
    say(demo.table(queries))
    check(added)
    say(second_night(queries, added, first_night))
    say(page_in_words())


def check(added: Mapping[str, Added]) -> None:
    """Every stream brought rows, and none of them twice."""
    for name, rows in added.items():
        if not rows.rows or rows.doubled:
            raise processes.StepFailedError(
                f"{name}: {len(rows.rows)} rows, of which {len(rows.doubled)} came twice."
            )


def second_night(queries: Sequence[Query], added: Mapping[str, Added], known: date) -> str:
    """What the second run asked for, in words."""
    first, last = min(query.first for query in queries), max(query.last for query in queries)
    again, new = (known - first).days + 1, (last - known).days
    if again > 3 or new != 1:
        raise processes.StepFailedError(f"Expected 3 days again and 1 new: {first} to {last}.")
    rows = sum(len(each.again) for each in added.values())
    return (
        f"\nNight 2 asked only for {first} to {last}: {again} days again, because the networks\n"
        f"restate them, and {new} new. {rows:,} rows replaced older ones; no key is there twice."
    )


def page_in_words() -> str:
    """Where the page of both runs is, and what it shows."""
    if not PAGE.exists():
        raise processes.StepFailedError(f"The runs left no page at {PAGE}.")
    where = PAGE.relative_to(processes.PROJECT)
    return (
        f"\nBoth runs are on a page, to be opened in a browser: {where}\n"
        "It shows the last runs, what failed and what to do, and a calendar of each account's days."
    )


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
