"""Google Ads (`AW`): campaigns by device, and search terms, of which there are very many."""

from __future__ import annotations

from datetime import date
from functools import partial

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
    MONEY,
    TEXT,
    account_fields,
    column,
    count,
    money,
    ratio,
    time_fields,
)

DEFAULT, TERMS = "Default", "SearchTerms"

_ACCOUNTS = (
    Account(id="4713896205", number=11, name="Nordic Outdoor", group="Nordic MCC", logins=(0, 1)),
    Account(id="8820145937", number=12, name="Müller & Söhne GmbH", level=24_000, logins=(0,)),
    Account(id="5096627718", number=13, name='Shop "EU" / Brand', level=52_000, logins=(1,)),
    Account(id="7391084456", number=14, name="Kahvila Äijä", level=3_000, since=date(2023, 5, 15)),
    Account(id="2645570913", number=15, name="Pets Plus", level=800, rests=(5, 6), sparse=5),
    Account(id="6604219873", number=16, name="New account (unused)", level=0),
    Account(id="3378451620", number=17, name="Trial account", unlicensed=True),
    Account(id="9150336284", number=18, name="Closed 2023 Oy", gone=True),
)

_CAMPAIGNS = (
    ("Brand — Search", 30, date.min),
    ("Generic / Shoes & Boots", 24, date.min),
    ('Shopping "Sale" 50%', 18, date.min),
    ("Kesäkampanja ☀️ 2023", 12, date(2023, 6, 1)),
    ("日本 Display", 8, date.min),
    ("Performance Max, all", 8, date(2022, 1, 10)),
)
_LABELS = ("brand", "", "sale", "", "", "pmax")
_DEVICES = (("Mobile", 55), ("Desktop", 38), ("Tablet", 7))
_MATCHES = ("Exact", "Phrase", "Broad")


def _campaigns(account: Account) -> tuple[Member, ...]:
    return tuple(
        Member(
            cells={
                "id": 20_000_000_000 + account.number * 1_000 + number,
                "name": name,
                "status": "Paused" if number == 2 else "Enabled",  # noqa: PLR2004 - the third one
                "label": _LABELS[number],
                "budget": 50 * (number + 1),
            },
            weight=weight,
            since=since,
        )
        for number, (name, weight, since) in enumerate(_CAMPAIGNS)
    )


def _devices(_account: Account) -> tuple[Member, ...]:
    return tuple(Member(cells={"name": name}, weight=weight) for name, weight in _DEVICES)


def _terms(per_campaign: int, account: Account) -> tuple[Member, ...]:
    return tuple(
        Member(
            cells={
                "term": f"{account.name.split()[0].lower()} {campaign + 1}-{rank + 1} /buy",
                "match": _MATCHES[rank % 3],
            },
            weight=10_000 // (rank + 2) + 20,
        )
        for campaign in range(len(_CAMPAIGNS))
        for rank in range(per_campaign)
    )


_CAMPAIGN = "campaign"
_FIELDS: tuple[Field, ...] = (
    *time_fields(),
    *account_fields(("Profilename", "ProfileID", "CurrencyCode")),
    column("Campaignname", "Campaign name", TEXT, (_CAMPAIGN, "name"), group="CAMPAIGN"),
    column("CampaignID", "Campaign ID", TEXT, (_CAMPAIGN, "id"), group="CAMPAIGN", is_key=True),
    column("CampaignStatus", "Campaign status", TEXT, (_CAMPAIGN, "status"), group="CAMPAIGN"),
    column("CampaignLabels", "Campaign labels", TEXT, (_CAMPAIGN, "label"), group="CAMPAIGN"),
    column(
        "CampaignBudget",
        "Budget",
        "int.currency.value",
        (_CAMPAIGN, "budget"),
        group="CAMPAIGN",
        is_metric=True,
        is_non_aggregatable=True,
    ),
    column("Device", "Device", TEXT, ("device", "name"), is_key=True, report_types=(DEFAULT,)),
    column(
        "SearchTerm",
        "Search term",
        TEXT,
        ("term", "term"),
        group="SEARCH TERM",
        is_key=True,
        report_types=(TERMS,),
    ),
    column("MatchType", "Match type", TEXT, ("term", "match"), report_types=(TERMS,)),
    count("Impressions", "Impressions", "impressions"),
    count("Clicks", "Clicks", "clicks"),
    money("Cost", "Cost", "cost"),
    money("Cost_usd", "Cost", "cost", description="Cost converted to US dollars"),
    ratio("Ctr", "CTR", "float.number.percentage", ("clicks", "impressions"), 100),
    ratio("CPC", "CPC", MONEY, ("cost", "clicks"), 0.01),
    ratio("CPM", "CPM", MONEY, ("cost", "impressions"), 10),
    count("Conversions", "Conversions", "conversions", "float.number.value"),
    money("ConversionValue", "Total conv. value", "revenue"),
    ratio("ConversionRate", "Conv. rate", "float.number.ratio", ("conversions", "clicks"), 1),
    ratio("ROAS", "ROAS", "float.number.value", ("revenue", "cost"), 1),
)

_MEASURES = (
    Measure(name="impressions", settling=(600, 998)),
    Measure(name="clicks", of="impressions", rate=0.043, settling=(580, 985, 996)),
    Measure(name="cost", of="clicks", rate=57.0, settling=(570, 970, 995)),
    Measure(
        name="conversions",
        of="clicks",
        rate=0.05,
        settling=(300, 700, 850, 920, 960, 980, 990),
    ),
    Measure(
        name="revenue",
        of="conversions",
        rate=6_800,
        settling=(900, 950, 970, 980, 990, 994, 998),
    ),
)
_SETTINGS = frozenset(
    {
        "allow_sum_unique",
        "asset_level",
        "brand_keywords",
        "geo_view",
        "include_zero_impressions",
        "targeting_expansion",
    }
)


def source(terms_per_campaign: int) -> Source:
    """Return the data source, with so many search terms per campaign and day."""
    campaigns = Axis(name="campaign", members=_campaigns)
    return Source(
        id="AW",
        name="Google Ads",
        accounts=_ACCOUNTS,
        logins=(
            Login(user="351684", display_name="ops@example.com (ID: 351684)", cached=True),
            Login(user="agency@example.com", display_name="agency@example.com"),
        ),
        fields=_FIELDS,
        report_types={
            DEFAULT: (campaigns, Axis(name="device", members=_devices)),
            TERMS: (
                campaigns,
                Axis(
                    name="term",
                    members=partial(_terms, terms_per_campaign),
                    children=terms_per_campaign,
                    rotates=True,
                ),
            ),
        },
        measures=_MEASURES,
        settings=_SETTINGS,
        earliest=date(2012, 1, 1),
        lists={
            "nordics": ("4713896205", "7391084456", "2645570913"),
            "with_closed": ("4713896205", "9150336284"),
        },
    )
