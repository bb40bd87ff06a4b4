"""Runs a plan: decisions as values, threads around them. Each imports only what is below it.

```
engine            the only threads: one decides, one submits and polls, a few fetch
submitter         the thread that submits and polls
fetchers          the threads that fetch results
outbox            what the emitting thread takes, report by report
ways              submitting, polling, cancelling: by batch or one by one
scheduler         what to submit, fetch and deliver next: events in, actions out
reactions         what follows from each event
submissions       what is submitted next
not_taken         what follows when the API does not take it
failures          what becomes of a query that failed: submitted again, split, failed
consequences      carries that out: the same again, parts of it, or its failure
remedies          what may help a query that failed
backlog           what waits to be submitted: what failed, then the plans in order
drawing           the queries of the plans, drawn in order, each once
probing           which of them are drawn ahead, as probes
breakers          which queries would meet a known refusal
doubts            what gives nothing so far, and its probes
deliveries        what goes to the emitting thread, each outcome in its turn
history           the first day that the API gives of a report
trials            days that may never be given, of which a few are tried first
totals            whether totals count a header, believed while results agree
splits            which parts of a failed query are submitted at once, and which wait
sequence          outcomes in any order, delivered in plan order; how much waits
retained_results  query batches of an earlier run that the API still retains
in_flight         how much may be submitted, and what runs
fetch_places      how many results are fetched at the same time
batches           query batches: submitted, polled until they stop
async_queries     queries one by one: submitted, polled
batch_starts      starts of query batches, each noted before it is sent
batch_status      what the status of a batch says of its queries
running           a query batch that runs, and what it still has to settle
downloads         the results of a query, into a spool; which column is which field
pages             the pages of a result, requested until nothing can be missing
page_requests     their requests, as long as the API gives them
page_rows         checks of their rows over all pages
headers           which row is a header
otherwise         remarks on answers that differ from their query
questions         a query, compared with the echo in its answer
echoed_days       the days that an answer echoes, in whatever form
audit             the information that outlives a query batch's status
attribution       which entry of a batch's status is which query
unsplit           split information that a status leaves out, or gives in another form
polling           how long to wait between two polls
progress          how far a run is, and how long it still takes
events            what the scheduler takes in and decides
results           what goes to the emitting thread: results, failures, notes for the state
```
"""
