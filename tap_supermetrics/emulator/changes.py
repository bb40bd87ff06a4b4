"""Changes of the emulated data, for queries that run from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from tap_supermetrics.emulator.clock import Clock
    from tap_supermetrics.emulator.execution import Execution


class Changes:
    """Changes the data that queries read.

    Args:
        execution: Holds the data.
        clock: The emulated time.
    """

    def __init__(self, execution: Execution, clock: Clock) -> None:
        self._execution = execution
        self._clock = clock
        self._first_world = execution.world

    def drop_account(self, ds_id: str, account: str) -> None:
        """Make an account unavailable, and unlisted."""
        self._execution.world = self._execution.world.without(ds_id, account)

    def unlicense_account(self, ds_id: str, account: str) -> None:
        """Make any query of an account fail; it stays listed."""
        self._execution.world = self._execution.world.without_license(ds_id, account)

    def restore_account(self, ds_id: str, account: str) -> None:
        """Undo `drop_account` and `unlicense_account`; old lists do not name it yet."""
        came = self._clock.seconds()
        self._execution.world = self._execution.world.with_account(ds_id, account, came)

    def restate(self, ds_id: str, account: str, day: date) -> None:
        """Change all measures of an account on a day, for queries that run from now on."""
        self._execution.world = self._execution.world.with_restated(ds_id, account, day)

    def change_list(self, ds_id: str, slug: str, *accounts: str) -> None:
        """Make a team list have these accounts; without a data source it is of all of them."""
        self._execution.world = self._execution.world.with_list(ds_id, slug, accounts)

    def reset(self) -> None:
        """Undo all changes."""
        self._execution.world = self._first_world
