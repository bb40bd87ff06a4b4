"""What to ask: coverage, plan, packing into query batches. Pure: no clock, no I/O."""
