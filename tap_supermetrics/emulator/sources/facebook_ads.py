"""Facebook Ads (`FA`): ad sets by platform; ids of every case, with dots, and a renamed one."""

from __future__ import annotations

from datetime import date

from tap_supermetrics.emulator.catalogue import (
    ACCOUNT,
    DAY,
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

CLOSED = "CLOSED AND DISABLED ACCOUNTS"

_ACCOUNTS = (
    Account(id="act_1784203956017", number=21, name="Nordic Outdoor FB", level=40_000),
    Account(id="act_290471836", number=22, name="Müller & Söhne Social", level=15_000),
    Account(id="act_10158846327709", number=23, name="Shop EU/US", level=90_000, currency="USD"),
    Account(id="act_604418273950", number=24, name="Café “Ñandú”", level=2_500, sparse=4),
    Account(id="act_3372915580462", number=25, name="Weekday store", level=7_000, rests=(6,)),
    Account(id="act_775210394", number=26, name="Old shop", group=CLOSED, level=0),
    Account(id="act_8891027364", number=27, name="Not prioritised", unlicensed=True),
    Account(id="act_5120983746", number=28, name="Gone", gone=True),
)

_CAMPAIGNS = (
    ("Prospecting | Lookalike 1%", 40, date.min),
    ("Retargeting — 30d/visitors", 28, date.min),
    ('Brand "Always on"', 20, date.min),
    ("Äkkilähtö 🛫 spring", 12, date(2023, 3, 1)),
)
_AD_SETS = (("Women 25-44", 5), ("Men 25-44", 3), ("Broad / all", 2))
_PLATFORMS = (("facebook", 50), ("instagram", 42), ("audience_network", 8))


def _campaigns(account: Account) -> tuple[Member, ...]:
    return tuple(
        Member(
            cells={
                "id": str(23_850_000_000_000_000 + account.number * 1_000 + number),
                "name": name,
                "objective": ("OUTCOME_SALES", "OUTCOME_LEADS")[number % 2],
                "start": "2022-01-03 09:30:00",
                "dynamic": number == 0,
            },
            weight=weight,
            since=since,
        )
        for number, (name, weight, since) in enumerate(_CAMPAIGNS)
    )


def _ad_sets(account: Account) -> tuple[Member, ...]:
    return tuple(
        Member(
            cells={
                "id": str(23_860_000_000_000_000 + account.number * 1_000 + campaign * 10 + number),
                "name": name,
                "url": f"https://shop.example.com/{campaign}/{number}?utm_source=fb",
            },
            weight=weight,
        )
        for campaign in range(len(_CAMPAIGNS))
        for number, (name, weight) in enumerate(_AD_SETS)
    )


def _platforms(_account: Account) -> tuple[Member, ...]:
    return tuple(Member(cells={"name": name}, weight=weight) for name, weight in _PLATFORMS)


def _spelling(field_id: str) -> str:
    return {"WeekISO": "weekIso", "YearWeekISO": "yearWeekIso"}.get(field_id, field_id)


_CAMPAIGN, _AD_SET = "campaign", "ad_set"
_FIELDS: tuple[Field, ...] = (
    *time_fields(_spelling),
    column("DayStart", "Date", "string.time.datetime", (DAY, "datetime"), group="TIME"),
    *account_fields(("profile", "profileID", "account_currency")),
    column("account_level", "Account size", "int.number.value", (ACCOUNT, "level")),
    column("adcampaign_name", "Campaign name", TEXT, (_CAMPAIGN, "name"), group="CAMPAIGN"),
    column("adcampaign_id", "Campaign ID", TEXT, (_CAMPAIGN, "id"), group="CAMPAIGN", is_key=True),
    column("campaign_objective", "Objective", TEXT, (_CAMPAIGN, "objective")),
    column("campaign_start", "Start time", "string.time.datetime", (_CAMPAIGN, "start")),
    column("is_dynamic_creative", "Dynamic creative", "bool", (_CAMPAIGN, "dynamic")),
    column("adset_name", "Ad set name", TEXT, (_AD_SET, "name"), group="AD SET"),
    column("adset_id", "Ad set ID", TEXT, (_AD_SET, "id"), group="AD SET", is_key=True),
    column("adset_url", "Website URL", "string.text.url", (_AD_SET, "url"), group="AD SET"),
    column("publisher_platform", "Platform", TEXT, ("platform", "name"), is_key=True),
    count("impressions", "Impressions", "impressions"),
    count("Clicks", "Clicks (all)", "clicks"),
    count("action_link_click", "Link clicks", "link_clicks"),
    money("spend", "Cost", "cost", aliases=("cost",)),
    computed(
        "reach",
        "Reach",
        "int.number.value",
        "impressions",
        lambda impressions: int(impressions**0.96),
        is_non_aggregatable=True,
        description="People reached",
    ),
    ratio("CTR", "CTR (all)", "float.number.percentage", ("clicks", "impressions"), 100),
    count("onsite_conversion.lead_grouped", "On-Facebook leads", "leads"),
    count("offsite_conversions_fb_pixel_purchase", "Website purchases", "purchases"),
    money("action_values:omni_purchase", "Purchase value", "revenue"),
    ratio("purchase_roas", "ROAS", "float.number.value", ("revenue", "cost"), 1),
)

_SETTLING = (250, 600, 800, 900, 950, 970, 990)
_MEASURES = (
    Measure(name="impressions", settling=(550, 990)),
    Measure(name="clicks", of="impressions", rate=0.021, settling=(540, 980, 995)),
    Measure(name="link_clicks", of="clicks", rate=0.55),
    Measure(name="cost", of="impressions", rate=0.74, settling=(560, 985, 997)),
    Measure(name="leads", of="clicks", rate=0.03, settling=_SETTLING),
    Measure(name="purchases", of="clicks", rate=0.04, settling=_SETTLING),
    Measure(name="revenue", of="purchases", rate=5_450),
)


def source() -> Source:
    """Return the data source."""
    return Source(
        id="FA",
        name="Facebook Ads",
        accounts=_ACCOUNTS,
        logins=(Login(user="10160012345678901", display_name="Ops Example", cached=True),),
        fields=_FIELDS,
        report_types={
            "Default": (
                Axis(name="campaign", members=_campaigns),
                Axis(name="ad_set", members=_ad_sets, children=len(_AD_SETS)),
                Axis(name="platform", members=_platforms),
            )
        },
        measures=_MEASURES,
        settings=frozenset({"exclude_inactive_accounts"}),
        earliest=date(2019, 1, 1),
        lists={"social": ("act_1784203956017", "act_290471836")},
    )
