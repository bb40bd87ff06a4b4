"""The Supermetrics API on localhost, for demonstrations, tests and development without quota.

Written from the public documentation of the API; shares no code with the tap and imports nothing
of it. From the bottom up:

    failures        codes, HTTP statuses and wording of the API's errors
    clock           emulated time
    options         sizes, limits, and a choice wherever the real API is not known
    catalogue       what a data source is made of
    sources/        the data sources: accounts, fields, members
    blocks          the data of one account and day
    filters         `filter` and `order_rows`
    data            the data of accounts and days, as rows of any question
    world           which accounts there are
    tables          results by position, without holding large ones in memory
    ranges          date ranges and date strings
    parameters      what the parameters of a query mean
    faults          failures on demand
    queries         queries and batches, and their records
    execution       what running a query gives
    register        what was sent, and is still kept
    simulation      queues, running queries, limits: discrete events
    changes         changes of the data by hand
    engine          all queries and batches, for any thread
    batch_requests  reading and splitting a batch
    encoding        rows as JSON
    answers         the contents of envelopes
    incoming        requests and answers
    results         the rows of a query, whole or by pages
    envelopes       answers in their envelope
    management      endpoints beside queries
    batch_endpoints    endpoints of batches
    query_endpoints    endpoints of queries and results
    listing_endpoints  endpoints that tell what can be queried
    rates           requests in a time
    service         which endpoint answers
    gateway         the fault that is due, the service, the log
    server          HTTP/1.1
    control         the control plane under /emulator/
    emulator        `Emulator`
    cli             the command `tap-supermetrics-emulator`; `__main__` runs it too
"""

from tap_supermetrics.emulator.emulator import Emulator
from tap_supermetrics.emulator.faults import Fault
from tap_supermetrics.emulator.incoming import Request
from tap_supermetrics.emulator.options import Options
from tap_supermetrics.emulator.queries import BatchRecord, QueryRecord
from tap_supermetrics.emulator.world import World

__all__ = ["BatchRecord", "Emulator", "Fault", "Options", "QueryRecord", "Request", "World"]
