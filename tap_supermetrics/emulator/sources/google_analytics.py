"""Google Analytics 4 (`GAWA`): places, channels and devices; most types of dimensions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from tap_supermetrics.emulator.catalogue import (
    Account,
    Axis,
    Field,
    Login,
    Measure,
    Member,
    Source,
)
from tap_supermetrics.emulator.sources.fields import (
    TEXT,
    account_fields,
    column,
    computed,
    count,
    money,
    ratio,
    time_fields,
)

_ACCOUNTS = (
    Account(id="318204957", number=31, name="nordic-outdoor.example", level=6_000),
    Account(id="402817736", number=32, name="Müller Webshop — GA4", level=2_200),
    Account(id="287730041", number=33, name="Blog (no weekends)", level=150, rests=(5, 6)),
    Account(id="199008817", number=34, name="Deleted property", gone=True),
)

_PLACES = (
    ("Helsinki", "Uusimaa", "Finland", "FI", "Europe", "Helsinki", 60.1699, 24.9384, "fi_FI"),
    ("Tampere", "Pirkanmaa", "Finland", "FI", "Europe", "Tampere", 61.4978, 23.761, "fi_FI"),
    ("London", "England", "United Kingdom", "GB", "Europe", "London", 51.5074, -0.1278, "en_GB"),
    ("São Paulo", "São Paulo", "Brazil", "BR", "Americas", "", -23.5505, -46.6333, "pt_BR"),
    ("東京", "Tokyo", "Japan", "JP", "Asia", "Kantō", 35.6762, 139.6503, "ja_JP"),
)
_LANGUAGES = {"fi": "Finnish", "en": "English (United Kingdom)", "pt": "Portuguese", "ja": "日本語"}
_CHANNELS = (
    ("google / cpc", "Paid Search", 30),
    ("google / organic", "Organic Search", 34),
    ("(direct) / (none)", "Direct", 20),
    ("facebook / paid", "Paid Social", 16),
)
_DEVICES = (("mobile", 58), ("desktop", 42))


def _places(_account: Account) -> tuple[Member, ...]:
    return tuple(
        Member(
            cells={
                "city": place[0],
                "region": place[1],
                "country": place[2],
                "country_code": place[3],
                "continent": place[4],
                "metro": place[5],
                "latitude": f"{place[6]}",
                "longitude": f"{place[7]}",
                "coordinates": f"{place[6]}, {place[7]}",
                "locale": place[8],
                "language_code": place[8][:2].upper(),
                "language": _LANGUAGES[place[8][:2]],
            },
            weight=30 - 5 * number,
        )
        for number, place in enumerate(_PLACES)
    )


def _channels(_account: Account) -> tuple[Member, ...]:
    return tuple(
        Member(cells={"source": source, "group": group}, weight=weight)
        for source, group, weight in _CHANNELS
    )


def _devices(_account: Account) -> tuple[Member, ...]:
    return tuple(Member(cells={"name": name}, weight=weight) for name, weight in _DEVICES)


_GEO = (
    ("city", "City", "string.geo.city", "city"),
    ("region", "Region", "string.geo.region", "region"),
    ("country", "Country", "string.geo.country", "country"),
    ("countryIsoCode", "Country code", "string.geo.country.twolettercode", "country_code"),
    ("continent", "Continent", "string.geo.continent", "continent"),
    ("metro", "Metro", "string.geo.metro", "metro"),
    ("latitude", "Latitude", "string.geo.latitude", "latitude"),
    ("longitude", "Longitude", "string.geo.longitude", "longitude"),
    ("coordinates", "Coordinates", "string.geo.coordinates", "coordinates"),
    ("languageLocale", "Locale", "string.language.locale", "locale"),
    ("languageCode", "Language code", "string.language.twolettercode", "language_code"),
    ("language", "Language", "string.language.value", "language"),
)


def _spelling(field_id: str) -> str:
    return "date" if field_id == "Date" else field_id[0].lower() + field_id[1:]


_CHANNEL = "channel"
_FIELDS: tuple[Field, ...] = (
    *time_fields(_spelling),
    *account_fields(("accountName", "property", "currencyCode")),
    *(
        column(field_id, name, data_type, ("place", cells), group="GEO", is_key=cells == "city")
        for field_id, name, data_type, cells in _GEO
    ),
    column("sessionSourceMedium", "Source / medium", TEXT, (_CHANNEL, "source"), is_key=True),
    column("sessionDefaultChannelGroup", "Channel group", TEXT, (_CHANNEL, "group")),
    column("deviceCategory", "Device category", TEXT, ("device", "name"), is_key=True),
    count("sessions", "Sessions", "sessions"),
    computed(
        "totalUsers",
        "Total users",
        "int.number.value",
        "sessions",
        lambda sessions: int(sessions**0.97),
        is_non_aggregatable=True,
    ),
    count("eventCount", "Event count", "events"),
    count("engagedSessions", "Engaged sessions", "engaged"),
    ratio("engagementRate", "Engagement rate", "float.number.ratio", ("engaged", "sessions"), 1),
    count("userEngagementDuration", "Engagement time", "seconds", "int.duration.seconds"),
    count("keyEvents", "Key events", "conversions", "float.number.value"),
    money("totalRevenue", "Total revenue", "revenue"),
    replace(
        ratio("goal4.rate", "Goal 4 rate", "float.number.percentage", ("engaged", "sessions"), 100),
        group="CUSTOM",
        owners=(_ACCOUNTS[0].id,),
    ),
)

_MEASURES = (
    Measure(name="sessions", settling=(400, 900, 990)),
    Measure(name="engaged", of="sessions", rate=0.61),
    Measure(name="events", of="sessions", rate=7.2),
    Measure(name="seconds", of="engaged", rate=74.0),
    Measure(name="conversions", of="engaged", rate=0.04, settling=(700, 900, 980)),
    Measure(name="revenue", of="conversions", rate=7_200),
)


def source() -> Source:
    """Return the data source."""
    return Source(
        id="GAWA",
        name="Google Analytics 4",
        accounts=_ACCOUNTS,
        logins=(Login(user="ops@example.com", display_name="ops@example.com", cached=True),),
        fields=_FIELDS,
        report_types={
            "Default": (
                Axis(name="place", members=_places),
                Axis(name="channel", members=_channels),
                Axis(name="device", members=_devices),
            )
        },
        measures=_MEASURES,
        settings=frozenset({"report_type"}),
        earliest=date(2020, 10, 14),
        lists={},
    )
