"""The API of the vendor; knows no Singer. Each module imports only what is below it.

```
client     a function for each endpoint
transport  requests: authorised, paced, retried, bounded; the only module on the network
retry      how long a request is repeated, and a service that is away waited for
lenient    answers that say what is documented in a slightly other way
wire       every spelling: paths, parameters, answers, limits
errors     every error code and its fate
```
"""
