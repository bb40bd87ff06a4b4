"""The API of the vendor; knows no Singer. Each module imports only what is below it.

```
client          queries and query batches: a function for each endpoint
listing_client  lists beside queries: a function for each endpoint
starts          query batches: started, and found where the answer did not come
transport       requests: to one origin, paced, retried
replies         replies: translated into answers, or into the errors that they report
connection      answers bounded in time and memory; the only module on the network
retry           limits of repeating a request, and of waiting for a service that is away
answers         the data, the error or the damage of an answer
meta            the facts that an answer states about itself
lenient         answers that differ slightly from the documented form
items           spelling of ids in queries and answers
listings        spelling of accounts, segments, team lists, the history, addresses
wire            spelling of queries and batches: paths, parameters, answers, limits
fields          spelling of fields
entries         entries of lists: an unreadable one affects no other
sources         ids of some data sources, for who misspells one
errors          an error, as its caller meets it
verdicts        every error code with its fate, its reach and its advice
```
"""
