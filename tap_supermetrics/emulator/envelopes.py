"""Answers in their envelope, each under an id of its own."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.blocks import mixed
from tap_supermetrics.emulator.encoding import json_bytes
from tap_supermetrics.emulator.incoming import Outgoing

if TYPE_CHECKING:
    from tap_supermetrics.emulator.answers import Answer
    from tap_supermetrics.emulator.engine import Engine
    from tap_supermetrics.emulator.failures import RefusalError


class Envelopes:
    """Makes answers.

    Args:
        engine: Knows the options in force.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._numbers = itertools.count(1)

    def new_id(self, length: int) -> str:
        """Return letters and digits that were not given before."""
        number, seed = next(self._numbers), self._engine.options.seed
        digits = "".join(f"{mixed(seed, number, part):016x}" for part in range(2))
        return digits[:length]

    def meta(self, **more: object) -> Answer:
        """Return the `meta` of an answer, with these keys."""
        return {"request_id": self.new_id(32), **more}

    def json(self, meta: Answer, data: object, status: int = 200) -> Outgoing:
        """Return an answer of `meta` and data."""
        body = {"meta": self.meta(**meta), "data": data}
        return Outgoing(status=status, body=json_bytes(body, self._engine.options))

    def failure(self, error: RefusalError) -> Outgoing:
        """Return the answer that says what went wrong."""
        body = json_bytes({"meta": self.meta(), "error": error.payload()}, self._engine.options)
        return Outgoing(status=error.status, body=body, headers=error.headers)


class Endpoints:
    """Answers requests; each public method is one endpoint.

    Args:
        engine: Knows the world, runs queries.
        envelopes: Makes the answers.
    """

    def __init__(self, engine: Engine, envelopes: Envelopes) -> None:
        self._engine = engine
        self._envelopes = envelopes
