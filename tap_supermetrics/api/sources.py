"""Data sources whose ids are known from the vendor's documents and clients; there are many more."""

from __future__ import annotations

import difflib
from typing import Final

NAMES: Final = {
    "AW": "google_ads",
    "FA": "facebook_ads",
    "GAWA": "ga4",
    "GMB": "google_my_business",
    "IGI": "instagram_insights",
    "LIA": "linkedin_ads",
}
"""Their names, by id."""


def source_meant(word: str) -> str:
    """Return the id of a data source that is most like a word, or whose name is; else nothing."""
    known = {each.casefold(): each for each in NAMES}
    known |= {name: each for each, name in NAMES.items()}
    close = difflib.get_close_matches(word.casefold(), known, n=1, cutoff=0.7)
    return known[close[0]] if close and known[close[0]] != word else ""
