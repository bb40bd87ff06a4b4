"""How long to wait between two looks at a query batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SHORTEST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 8.0


@dataclass(slots=True)
class PollWait:
    """Short while queries finish, longer and longer while none does.

    Attributes:
        wait_s: seconds until the next poll.
    """

    wait_s: float = SHORTEST_WAIT_S

    def after(self, *, progressed: bool) -> float:
        """Seconds until the next poll, given whether the last one showed anything new."""
        factor = 0.5 if progressed else 1.5
        self.wait_s = min(max(self.wait_s * factor, SHORTEST_WAIT_S), LONGEST_WAIT_S)
        return self.wait_s
