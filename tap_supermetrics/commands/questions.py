"""Questions to a person: each has an option, which answers it without a terminal."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Final

from tap_supermetrics.commands.output import print_line, print_table
from tap_supermetrics.errors import EXIT_FAILED, SettingsError, TapError
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SHOWN: Final = 20
"""How many matches of a search are shown."""


class Questions:
    """Prompts at the terminal for what no option answers."""

    @property
    def is_at_terminal(self) -> bool:
        """Return whether a person can answer."""
        return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()

    def text(
        self,
        option: str,
        question: str,
        default: str = "",
        check: Callable[[str], object] = bool,
    ) -> str:
        """Return an answer of one line; an empty one gives the default.

        Args:
            option: answers it without a terminal.
            question: what to answer.
            default: the answer where none is given; empty for none.
            check: raises a TapError for an answer that is wrong; a person is told, and asked again.

        Raises:
            SettingsError: there is no terminal, and no default.
            TapError: no answer could be right, as the API refuses the key.
        """
        if not self.is_at_terminal:
            return default or self._missing(option, question)
        shown = f" [{default}]" if default else ""
        while True:
            answer = _answer(f"{question}{shown}: ") or default
            try:
                if answer:
                    check(answer)
                    return answer
            except TapError as error:
                if error.exit_code != EXIT_FAILED:
                    raise
                print_line(str(error))

    def hidden(self, option: str, question: str) -> str:
        """Return an answer that is not shown.

        Raises:
            SettingsError: there is no terminal.
        """
        if not self.is_at_terminal:
            return self._missing(option, question)
        while not (answer := getpass.getpass(f"{question} (hidden): ").strip()):
            pass
        return answer

    def is_agreed(self, question: str) -> bool:
        """Return whether a person at the terminal agrees; no answer does not."""
        return self.is_at_terminal and _answer(f"{question} [y/N]: ").casefold() in {"y", "yes"}

    def picked(
        self, option: str, question: str, find: Callable[[str], Sequence[tuple[str, str]]]
    ) -> list[str]:
        """Return ids that a person searches and picks.

        Args:
            option: answers it without a terminal.
            question: what to pick.
            find: returns ids and names for words, the best first; all of them for none.

        Raises:
            SettingsError: there is no terminal.
        """
        if not self.is_at_terminal:
            return self._missing(option, question).split()
        ids = {each.casefold(): each for each, _ in find("")}
        print_line(f"{question}: ids to take, or words to look for; an empty line ends.")
        picked: list[str] = []
        while (answer := _answer("> ")) or not picked:
            words = [each.strip().casefold() for each in answer.split(",") if each.strip()]
            if words and all(each in ids for each in words):
                picked += [ids[each] for each in words if ids[each] not in picked]
                print_line(f"taken: {', '.join(picked)}")
            else:
                self._show(find(answer.casefold()))
        return picked

    def _show(self, found: Sequence[tuple[str, str]]) -> None:
        if found:
            print_table(("ID", "NAME"), found[:SHOWN])
        if len(found) != 1:
            more = f", {SHOWN} shown" if len(found) > SHOWN else ""
            print_line(f"{counted(len(found), 'match', 'matches')}{more}")

    def _missing(self, option: str, question: str) -> str:
        raise SettingsError([f"{option}: needed without a terminal ({question})"])


def _answer(question: str) -> str:
    # `input` would prompt on stderr, which Meltano buffers until the line has an end.
    sys.stdout.write(question)
    sys.stdout.flush()
    return input().strip()
