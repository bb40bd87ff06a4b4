"""Threads that meet an answer of a kind for the first time together."""

from __future__ import annotations

import subprocess
import sys

RACE = """
import sys, threading
sys.setswitchinterval(1e-6)
from tap_supermetrics.api.fields import FieldInfo
from tap_supermetrics.api import wire
from tap_supermetrics.api.answers import read_answer

body = b'{"meta": {"request_id": "a", "query": {"fields": []}}, "data": [{"field_id": "x"}]}'
together, read = threading.Barrier(4), []

def go():
    together.wait()
    read.append(read_answer(body, list[FieldInfo], is_error=False).data)

threads = [threading.Thread(target=go) for _ in range(4)]
for each in threads: each.start()
for each in threads: each.join()
assert len(read) == 4 and all(each[0].field_id == "x" for each in read)
"""


def test_threads_that_meet_a_kind_of_answer_together_all_read_it() -> None:
    """Without a lock, about one process in three dies here of a segmentation fault."""
    processes = [
        subprocess.Popen([sys.executable, "-c", RACE])  # noqa: S603 - our own code
        for _ in range(12)
    ]
    assert [process.wait(timeout=60) for process in processes] == [0] * len(processes)
