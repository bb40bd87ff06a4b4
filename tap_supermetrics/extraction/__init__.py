"""Runs a plan: decisions as values, threads around them. Each imports only what is below it.

```
engine            the only threads: one decides, one submits and polls, a few fetch
submitter         the thread that submits and polls
fetchers          the threads that fetch results
outbox            the queue to the emitting thread, report by report
ways              submitting, polling, cancelling: by batch or one by one
scheduler         decides what to submit, fetch and deliver: events in, actions out
reactions         the consequences of each event
submissions       the next batch or query to submit
not_taken         submissions that the API does not take
failures          decisions about failed queries: submitted again, split, failed
consequences      the decisions carried out: the same again, parts of it, or its failure
remedies          the remedy for a failed query
backlog           queries that wait to be submitted: failed ones, then the plans in order
drawing           the queries of the plans, drawn in order, each once
probing           which of them are drawn ahead, as probes
breakers          which queries would meet a known refusal
doubts            accounts, reports and sources in doubt, and their probes
deliveries        deliveries to the emitting thread, each outcome in its turn
history           the first day that the API gives of a report
trials            days that may never be given, of which a few are tried first
totals            whether totals count a header, believed while results agree
splits            which parts of a failed query are submitted at once, and which wait
sequence          outcomes in any order, delivered in plan order; how much waits
retained_results  query batches of an earlier run that the API still retains
in_flight         limits of submission, and the queries that run
fetch_places      how many results are fetched at the same time
batches           query batches: submitted, polled until they stop
async_queries     queries one by one: submitted, polled
batch_starts      starts of query batches, each noted before it is sent
batch_status      outcomes of queries, read from the status of their batch
running           a query batch that runs, and the queries it still has to settle
downloads         the results of a query, into a spool; which column is which field
pages             the pages of a result, requested until nothing can be missing
page_requests     their requests, as long as the API gives them
page_rows         checks of their rows over all pages
headers           which row is a header
deviations        where answers differ from their query, in words
questions         a query, compared with the echo in its answer
echoed_days       the days that an answer echoes, in whatever form
audit             the information that outlives a query batch's status
attribution       which entry of a batch's status is which query
unsplit           split information that a status leaves out, or gives in another form
polling           how long to wait between two polls
progress          how far a run is, and how long it still takes
events            the scheduler's input and output, as values
results           results, failures and notes for the state
```
"""
