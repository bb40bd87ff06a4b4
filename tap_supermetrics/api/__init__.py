"""The API of the vendor; knows no Singer. Each module imports only what is below it.

```
client          queries and query batches: a function for each endpoint
listing_client  what is listed beside queries: a function for each endpoint
starts          query batches: started, and found where the answer did not come
transport       requests: to one origin, paced, retried
replies         replies: translated into answers, or into the errors that they report
connection      answers bounded in time and memory; the only module on the network
retry           limits of repeating a request, and of waiting for a service that is away
answers         what an answer gives or refuses, or how it is damaged
meta            what an answer states about itself, fact by fact
lenient         answers that say what is documented in a slightly other way
items           spelling of ids in queries and answers
listings        spelling of accounts, segments, team lists, the history, addresses
wire            spelling of queries and batches: paths, parameters, answers, limits
fields          spelling of fields
entries         entries of lists: one that cannot be read costs no other
sources         ids of some data sources, for who misspells one
errors          an error, as its caller meets it
verdicts        every error code with its fate, its reach and what to do
```
"""
