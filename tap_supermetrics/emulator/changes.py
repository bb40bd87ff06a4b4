"""Changes of the emulated data, for queries that run from now on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from tap_supermetrics.emulator.clock import Clock
    from tap_supermetrics.emulator.execution import Execution
    from tap_supermetrics.emulator.world import World


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
        self._change(gone=self._world.gone | {(ds_id, account)})

    def unlicense_account(self, ds_id: str, account: str) -> None:
        """Make any query of an account fail; it stays listed."""
        self._change(unlicensed=self._world.unlicensed | {(ds_id, account)})

    def restore_account(self, ds_id: str, account: str) -> None:
        """Undo `drop_account` and `unlicense_account`; old lists do not name it yet."""
        world, key = self._world, (ds_id, account)
        self._change(
            gone=world.gone - {key},
            unlicensed=world.unlicensed - {key},
            came={**world.came, key: self._clock.seconds()},
        )

    def restate(self, ds_id: str, account: str, day: date) -> None:
        """Change all measures of an account on a day, for queries that run from now on."""
        restated, key = self._world.restated, (ds_id, account, day)
        self._change(restated={**restated, key: restated.get(key, 0) + 1})

    def change_list(self, ds_id: str, slug: str, *accounts: str) -> None:
        """Make a team list have these accounts; without a data source it is of all of them."""
        self._change(lists={**self._world.lists, (ds_id, slug): accounts})

    def reset(self) -> None:
        """Undo all changes."""
        self._execution.world = self._first_world

    @property
    def _world(self) -> World:
        return self._execution.world

    def _change(self, **parts: object) -> None:
        self._execution.world = replace(self._world, **parts)  # type: ignore[arg-type]  # its own names
