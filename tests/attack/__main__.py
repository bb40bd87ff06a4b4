"""The long part of the attack: everything is tried, and a table says what held.

    python -m tests.attack                         all of it, about half an hour
    python -m tests.attack --soak 2000 --every 25  a glance, a few minutes

The table goes to stdout, and into docs/performance.md between `<!-- attack: begin -->` and
`<!-- attack: end -->` when `--write` is given.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

# Before anything reads it: tests then try everything, not samples.
os.environ["ATTACK"] = "whole"

import pytest

from tests.attack import kill
from tests.attack.soak import soak

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.attack.kill import Finding
    from tests.attack.soak import Soak

HERE: Final = Path(__file__).parent
PAGE: Final = HERE.parent.parent / "docs" / "performance.md"
BEGIN: Final = "<!-- attack: begin -->\n"
END: Final = "<!-- attack: end -->\n"
TRIED: Final = {
    "test_failures": "Error codes by place and HTTP status",
    "test_batches": "Query batches that stop, expire, vanish, are cut off or changed",
    "test_nonsense": "Nonsense from the server",
    "test_damaged_results": "Results swapped, shifted, shortened, doubled, relabelled",
    "test_secrets": "Ways to make the key leak",
    "test_bad_input": "Malformed configurations, catalogs and states",
    "test_targets": "Slow, stuck and dead targets",
    "test_many_nights": "A dozen odd nights in a row, drawn at random",
}


@dataclass(slots=True)
class Counting:
    """A pytest plugin that counts what was tried, by module."""

    passed: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    hung: int = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test by its call, or by what broke around it."""
        module = Path(report.fspath).stem
        if report.failed:
            self.failed[module] += 1
            self.hung += "Timeout" in str(report.longrepr)
        elif report.when == "call" and report.passed:
            self.passed[module] += 1


def main(arguments: Sequence[str]) -> int:
    """Attack, tell, and give 1 when something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description="Attack the tap.")
    parser.add_argument("--every", type=int, default=1, help="kill after every Nth message")
    parser.add_argument("--random", type=int, default=40, help="so many random kills of each kind")
    parser.add_argument("--soak", type=int, default=100_000, help="queries of the longest backfill")
    parser.add_argument(
        "--write", action="store_true", help="write the table into docs/performance.md"
    )
    asked = parser.parse_args(arguments)

    counting = Counting()
    _say("Errors, nonsense, secrets, bad input, targets")
    pytest.main([str(HERE), "-q", "--tb=short", "--show-capture=no"], plugins=[counting])
    _say("Kills")
    messages = kill.count_messages()
    plots = [
        *kill.every_message(messages, asked.every),
        *kill.random_plots(1, asked.random, messages),
        *kill.pipeline_plots(1, 5 * asked.random, messages),
    ]
    findings = kill.carry_out_all(plots)
    _say(f"A backfill of {asked.soak:,} queries")
    seen = soak(asked.soak)

    lines = [*_table(counting, findings, seen)]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    for fault in _faults(findings, seen):
        _say(fault)
    if asked.write:
        _write(lines)
    return int(bool(counting.failed) or any(_faults(findings, seen)))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _table(counting: Counting, findings: Sequence[Finding], seen: Soak) -> Iterable[str]:
    yield "| What was tried | How many | Held |"
    yield "|---|---:|---:|"
    for module, name in TRIED.items():
        count = counting.passed[module] + counting.failed[module]
        yield f"| {name} | {count:,} | {counting.passed[module]:,} |"
    for kind in dict.fromkeys(each.plot.kind for each in findings):
        alike = [each for each in findings if each.plot.kind == kind and _was_hit(each)]
        held = sum(not each.faults for each in alike)
        yield f"| {kind} | {len(alike):,} | {held:,} |"
    size = f"{seen.queries:,} queries, {seen.rows:,} rows"
    yield f"| Backfill of {size} | 1 | {1 - bool(seen.faults)} |"
    yield ""
    lost = sum("lost" in fault for each in findings for fault in each.faults)
    hangs = counting.hung + sum("hang" in each.faults for each in findings)
    killed = [each for each in findings if _was_killed(each)]
    dearest = max(killed, key=lambda each: each.queries)
    yield (
        f"Runs with a row lost: {lost + (seen.rows != seen.rows_expected)}. "
        f"Secrets found: {counting.failed['test_secrets']}. Hangs: {hangs}. "
        f"Dearest killed backfill: {dearest.queries / kill.QUERIES:.2f} times its queries, "
        f"{dearest.unknown / kill.QUERIES:.2f} of them in batches that were killed before their id "
        "could be written. "
        f"The long backfill took {seen.seconds:,.0f} seconds, at most "
        f"{max(seen.memory_mib, default=0):.0f} MiB of memory, {max(seen.files, default=0)} open "
        f"files, {max(seen.threads, default=0)} threads and {max(seen.state_bytes, default=0):,} "
        "bytes of state."
    )


def _was_hit(finding: Finding) -> bool:
    """Whether any blow came before the run had ended: only then was something tried."""
    return bool(finding.blows_dealt or finding.faults)


def _was_killed(finding: Finding) -> bool:
    return finding.plot.kind.startswith("SIGKILL")


def _faults(findings: Sequence[Finding], seen: Soak) -> Iterable[str]:
    for each in findings:
        if each.faults:
            yield f"{each.plot}: {'; '.join(each.faults)}"
    yield from (f"soak: {fault}" for fault in seen.faults)


def _write(lines: Sequence[str]) -> None:
    text = PAGE.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE.name}: expected the lines {BEGIN.strip()} and {END.strip()}")
    PAGE.write_text(f"{before}{BEGIN}" + "".join(f"{line}\n" for line in lines) + f"{END}{after}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
