"""Google Merchant Center (`GMC`): products as they are now, without dates."""

from __future__ import annotations

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
    whole,
)

PRODUCTS = 40

_ACCOUNTS = (
    Account(id="118264033", number=41, name="Nordic Outdoor feed", level=9_000),
    Account(id="520917748", number=42, name="Shop EU / products", level=30_000),
)
_KINDS = ("Sac à dos", "Tent", "Kenkä 42½", 'Torch 6"', "Boots / leather")
_STREETS = ("Downing Street", "Mannerheimintie 5", "Großer Burstah 1")


def _product(account: Account, number: int) -> Member:
    return Member(
        cells={
            "id": f"online:en:FI:{account.number}{number:04d}",
            "title": f"{_KINDS[number % len(_KINDS)]} #{number}",
            "gtin": 6_400_000_000_000 + account.number * 1_000 + number,
            "link": f"https://shop.example.com/p/{number}",
            "price": whole(round(9.9 + 3.35 * number, 2)),
            "in_stock": number % 7 != 0,
            "updated": f"2024-05-{number % 28 + 1:02d} 19:21:17",
            "opens": f"{8 + number % 3:02d}:30",
            "closes": f"{18 + number % 3:02d}:00:00",
            "street": _STREETS[number % 3],
            "zip": ("10121", "00100", "20457")[number % 3],
        },
        weight=PRODUCTS - number // 2,
    )


def _products(account: Account) -> tuple[Member, ...]:
    return tuple(_product(account, number) for number in range(PRODUCTS))


_COLUMNS = (
    ("product_id", "Product ID", TEXT, "id"),
    ("product_title", "Title", TEXT, "title"),
    ("gtin", "GTIN", TEXT, "gtin"),
    ("link", "Link", "string.text.url", "link"),
    ("in_stock", "In stock", "bool", "in_stock"),
    ("last_update", "Last update", "string.time.datetime", "updated"),
    ("store_opens", "Opens", "string.time.hm", "opens"),
    ("store_closes", "Closes", "string.time.hms", "closes"),
    ("store_street", "Street", "string.geo.street", "street"),
    ("store_zip", "Postal code", "string.geo.zip", "zip"),
)


_FIELDS: tuple[Field, ...] = (
    *account_fields(("account_name", "account_id", "account_currency")),
    *(
        column(field_id, name, data_type, ("product", cells), is_key=cells == "id")
        for field_id, name, data_type, cells in _COLUMNS
    ),
    column(
        "price",
        "Price",
        MONEY,
        ("product", "price"),
        is_metric=True,
        is_non_aggregatable=True,
    ),
    count("clicks_28d", "Clicks, last 28 days", "clicks"),
)


def source() -> Source:
    """Return the data source."""
    return Source(
        id="GMC",
        name="Google Merchant Center",
        accounts=_ACCOUNTS,
        logins=(Login(user="ops@example.com", display_name="ops@example.com"),),
        fields=_FIELDS,
        report_types={"Default": (Axis(name="product", members=_products),)},
        measures=(Measure(name="impressions"), Measure(name="clicks", of="impressions", rate=0.03)),
        has_dates=False,
        lists={},
    )
