"""The warehouses that the views are run on, for all modules here."""

from tests.warehouse.test_views import clickhouse, server, snowflake, stored

__all__ = ["clickhouse", "server", "snowflake", "stored"]
