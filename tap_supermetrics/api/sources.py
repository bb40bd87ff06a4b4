"""Data sources whose ids are known from the vendor's documents and clients; there are many more."""

from __future__ import annotations

from typing import Final

from tap_supermetrics.words import nearest

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
    known = {each: each for each in NAMES} | {name: each for each, name in NAMES.items()}
    meant = known.get(nearest(word, known, cutoff=0.7), "")
    return meant if meant != word else ""
