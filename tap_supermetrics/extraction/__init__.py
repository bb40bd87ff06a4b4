"""Runs a plan, in threads of its own. The map, top to bottom; each imports only what is below it.

```
extraction     a running plan as `run` sees it, with what the API still holds of an earlier run
runner         decides: what is asked, asked again, split or lost
batches        one way of asking: query batches, started, polled, settled
async_queries  the other way: query by query
channel        what both ways have in common, and whom they tell
attribution    which entry of a batch's status is which query
polling        how long to wait between two looks
refusals       what lost queries say about others
parts          which parts of a failed query are asked at once, and which wait
downloads      the pages of a result, counted and checked, into a spool
board          where threads meet: outcomes come in any order, and are taken in plan order
results        a result with its spool, a loss, a split
registry       which query batches hold results that were not emitted yet
```
"""
