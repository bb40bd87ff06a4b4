"""What to ask: dates, coverage, plan, packing into query batches. Pure: no clock, no I/O."""
