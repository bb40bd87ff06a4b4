"""Kills a run after every message, in the middle of lines and in a row, and looks what is lost.

`python -m tests.attack.kill --pipelines 200` kills whole pipelines only, and tells what each kind
cost on average.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.emulator import Emulator, Options
from tests.attack.driver import DAY, LAST, options
from tests.tap import Target, command, config_for, sync, truth

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FIRST: Final = LAST - timedelta(days=24)
REPORTS: Final[list[dict[str, Any]]] = [
    {
        "name": "google_ads",
        "ds_id": "AW",
        "ds_accounts": ["4713896205", "2645570913"],
        "fields": ["Date", "Campaignname", "Cost"],
    },
    {
        "name": "facebook_ads",
        "ds_id": "FA",
        "ds_accounts": ["act_1784203956017", "act_604418273950"],
        "fields": ["Date", "spend"],
    },
]
QUERIES: Final = 100
MAX_COST: Final = 1.2
"""Queries that a killed backfill may cost, as a share of an undisturbed one.

Beside them are those of a batch that was killed before its id could reach the target.
"""
MAX_COST_OF_PIPELINE: Final = 1.05
"""The same where the journal tells of everything, whatever the target was given."""
RUNNING: Final = 10
"""Queries that run at the same time: five of each of two batches."""
HANG_S: Final = 90.0
BATCH: Final = re.compile(rb"qrb_[0-9a-f]+")
"""The id of a query batch, with which the schedule ids of its rows begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """One end that a run is put to.

    Attributes:
        number: the signal; SIGKILL for a kill.
        after_messages: when so many messages were read; None for a moment in time.
        more_bytes: and so many bytes of the line after them.
        after_s: when so many seconds have passed since the first byte was written.
    """

    number: signal.Signals = signal.SIGKILL
    after_messages: int | None = None
    more_bytes: int = 0
    after_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A run that is put to an end again and again, and then left in peace."""

    kind: str
    blows: tuple[Blow, ...]
    unbuffered: str = ""
    mode: str = "batch"
    is_pipeline: bool = False
    """Whether the target dies too, and with it all that it was given, state and rows."""


@dataclass(slots=True)
class Finding:
    """What came of a plot; `faults` is empty when all that is promised held.

    Attributes:
        blows_dealt: how many of its blows hit a run.
        queries: those that the API was asked in all.
        unknown: those of batches that no state which the target read tells of.
        ended: how many blows hit a run that had come to its end, but not yet to its exit: its
            journal is cleared, and a pipeline that dies then has paid for all of it.
    """

    plot: Plot
    blows_dealt: int = 0
    queries: int = 0
    unknown: int = 0
    ended: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def known(self) -> int:
        """Queries that a next run could know of."""
        return self.queries - self.unknown - self.ended * QUERIES


def every_message(count: int, step: int = 1) -> list[Plot]:
    """A kill after each message of a run."""
    return [
        Plot(kind="SIGKILL after message N", blows=(Blow(after_messages=number),))
        for number in range(1, count + 1, step)
    ]


def random_plots(seed: int, count: int, messages: int) -> list[Plot]:
    """Kills in a row, within lines, and signals at any moment."""
    draw = random.Random(seed)  # noqa: S311 - reproducible, guards nothing
    plots: list[Plot] = []
    for number in range(count):
        several = tuple(
            Blow(after_messages=draw.randint(1, messages)) for _ in range(draw.randint(2, 4))
        )
        within = Blow(after_messages=draw.randint(0, messages), more_bytes=draw.randint(1, 200))
        ended_by = signal.SIGTERM if number % 2 else signal.SIGINT
        moment = Blow(number=ended_by, after_s=draw.uniform(0.0, 1.2))
        plots += [
            Plot(kind="SIGKILL 2 to 4 times in a row", blows=several),
            Plot(kind="SIGKILL within a line", blows=(within, within)),
            Plot(kind="SIGKILL where queries are asked one by one", blows=several, mode="async"),
            Plot(
                kind=f"{ended_by.name} at a random moment",
                blows=(moment,),
                unbuffered="1" if number % 4 > 1 else "",
            ),
        ]
    return plots


def pipeline_plots(seed: int, count: int, messages: int) -> list[Plot]:
    """Kills of whole pipelines at any moment, of which nothing but the journal remains."""
    draw = random.Random(seed)  # noqa: S311 - reproducible, guards nothing
    plots = []
    for number in range(count):
        mode = "async" if number % 2 else "batch"
        by_message = Blow(after_messages=draw.randint(1, messages))
        ended_by = signal.SIGTERM if number % 4 > 1 else signal.SIGKILL
        by_time = Blow(number=ended_by, after_s=draw.uniform(0.0, 1.5))
        blow = by_time if number % 3 else by_message
        plots.append(
            Plot(
                kind=f"whole pipeline, {blow.number.name}, {mode}",
                blows=(blow,) * draw.randint(1, 2),
                mode=mode,
                is_pipeline=True,
            )
        )
    return plots


def carry_out(plot: Plot) -> Finding:
    """Run into every blow of a plot, then to the end, and compare with the truth."""
    finding, target = Finding(plot), Target()
    with tempfile.TemporaryDirectory() as name, Emulator(options=quick()) as emulator:
        folder = Path(name)
        config = config_for(
            emulator,
            REPORTS,
            start_date=str(FIRST),
            end_date=str(LAST),
            lookback_days=0,
            requests_per_second=1000,
            mode=plot.mode,
            **({"journal_dir": str(folder / "journal")} if plot.is_pipeline else {}),
        )
        for blow in plot.blows:
            hit = strike(blow, config, target, folder, plot, finding, emulator)
            finding.blows_dealt += hit
            if hit and plot.is_pipeline:
                target = Target()
        try:
            ended = sync(config, folder, target, timeout=HANG_S)
        except subprocess.TimeoutExpired:
            finding.faults.append("hang")
            return finding
        if ended.code:
            finding.faults.append(f"exit {ended.code}: {ended.stderr[-300:]}")
        finding.queries = len(emulator.queries)
        finding.faults += compare(target, emulator)
        if plot.is_pipeline:
            # What a signal cancelled before it ran costs nothing.
            finding.queries = sum(query.started is not None for query in emulator.queries)
        finding.faults += too_dear(plot, finding)
    return finding


def too_dear(plot: Plot, finding: Finding) -> Iterable[str]:
    """Say that a plot cost more queries than it may."""
    is_killed = plot.blows[0].number is signal.SIGKILL
    most, paid = MAX_COST * QUERIES, finding.known
    if plot.is_pipeline:
        # Each signal cancels what runs just then.
        cancelled = 0 if is_killed else RUNNING * finding.blows_dealt
        most = MAX_COST_OF_PIPELINE * QUERIES + cancelled
    if paid > most and (is_killed or plot.is_pipeline):
        yield f"{finding.queries} queries instead of {QUERIES}"


def quick() -> Options:
    """Queries of a few hundredths of a second."""
    return options(clock_factor=60.0, min_seconds=1.0, max_seconds=6.0)


def compare(target: Target, emulator: Emulator) -> Iterable[str]:
    """Rows that are missing, wrong or too many."""
    for report in REPORTS:
        rows = truth(emulator, report, FIRST, LAST)
        got = target.tables.get(report["name"], {})
        lost = [key for key in rows if key not in got]
        wrong = [key for key, row in got.items() if rows.get(key) != row]
        if lost or wrong:
            yield f"{report['name']}: {len(lost)} rows lost, {len(wrong)} wrong"
    if target.doubled:
        yield f"{len(target.doubled)} rows twice in one run"


def strike(  # noqa: C901, PLR0913, PLR0917 - all that a blow needs
    blow: Blow,
    config: dict[str, Any],
    target: Target,
    folder: Path,
    plot: Plot,
    finding: Finding,
    emulator: Emulator,
) -> int:
    """Start the tap with the target's state and end it by the blow; 1 when it got that far."""
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "state.json").write_text(json.dumps(target.state))
    line = command("--config", str(folder / "config.json"))
    line += ["--state", str(folder / "state.json")] if target.state else []
    target.new_run()
    batches_before = len(emulator.batches)
    with (
        (folder / "stderr").open("wb") as stderr,
        subprocess.Popen(  # noqa: S603 - our own command
            line,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, "PYTHONUNBUFFERED": plot.unbuffered},
        ) as process,
    ):
        assert process.stdout
        if blow.after_messages is not None:
            told = ""
            for _ in range(blow.after_messages):
                message = process.stdout.readline()
                if not message:
                    return 0
                target.read(message)
                told += message.decode() if target.messages[-1] == "STATE" else ""
                if (batch := BATCH.search(message)) and batch[0].decode() not in told:
                    finding.faults.append(f"a row of {batch[0]!r}, which no state tells of")
            process.stdout.read(blow.more_bytes)
            process.kill()
            process.wait()
            if plot.is_pipeline:
                finding.ended += has_ended(folder)
                return 1
            started = emulator.batches[batches_before:]
            finding.unknown += sum(each.amount for each in started if each.batch_id not in told)
            return 1
        target.read(process.stdout.readline())
        time.sleep(blow.after_s)
        process.send_signal(blow.number)
        rest = process.stdout.read()
        code = process.wait(HANG_S)
    if code == 0:  # it had ended before
        for message in rest.splitlines():
            target.read(message)
        return 0
    if blow.number is signal.SIGKILL:
        finding.ended += has_ended(folder)
        return 1
    has_asked = len(emulator.batches) > batches_before
    stderr_text = (folder / "stderr").read_text()
    finding.faults += after_signal(blow, code, rest, stderr_text)
    running = [batch.batch_id for batch in emulator.batches if batch.status != "STOPPED"]
    finding.faults += [f"{len(running)} batches left running"] if running else []
    for message in rest.split(b"\n")[:-1]:
        target.read(message)
    # A state that says the same as the one before is not written again.
    finding.faults += ["no state"] if has_asked and "STATE" not in target.messages else []
    return 1


def has_ended(folder: Path) -> bool:
    """Whether a run told what it did, and nothing of it is in its journal any more."""
    journal = folder / "journal"
    noted = [each for each in journal.rglob("*") if each.is_file() and each.stat().st_size]
    return not noted and "Summary: " in (folder / "stderr").read_text()


def after_signal(blow: Blow, code: int, rest: bytes, stderr: str) -> Iterable[str]:
    """What is promised of a run that a signal ended."""
    if code != 128 + blow.number:
        yield f"exit {code} after {blow.number.name}: {stderr[-300:]}"
    if "Traceback" in stderr:
        yield f"traceback: {stderr[-300:]}"
    if rest and not rest.endswith(b"\n"):
        yield "a torn line"


def carry_out_all(plots: Sequence[Plot], workers: int = 2) -> list[Finding]:
    """Every plot, a few at a time."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(carry_out, plots))


def count_messages() -> int:
    """How many messages an undisturbed run writes."""
    with tempfile.TemporaryDirectory() as name, Emulator(options=quick()) as emulator:
        config = config_for(
            emulator, REPORTS, start_date=str(FIRST), end_date=str(LAST), lookback_days=0
        )
        target = Target()
        sync(config, Path(name), target)
        assert len(emulator.queries) == QUERIES == len(REPORTS) * 2 * ((LAST - FIRST) // DAY + 1)
        return len(target.messages)


def main() -> None:
    """Kill whole pipelines; print how many held, and their mean cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipelines", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    findings = carry_out_all(pipeline_plots(asked.seed, asked.pipelines, count_messages()))
    for kind in dict.fromkeys(each.plot.kind for each in findings):
        alike = [each for each in findings if each.plot.kind == kind]
        held = sum(not each.faults for each in alike)
        mean = sum(each.known for each in alike) / len(alike) / QUERIES
        ended = sum(each.ended for each in alike)
        sys.stdout.write(
            f"{kind}: {held} of {len(alike)} held, {mean:.3f} times the queries"
            f"{f', {ended} hit after the end' if ended else ''}\n"
        )


if __name__ == "__main__":
    main()
