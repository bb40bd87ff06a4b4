"""Runs a plan: query batches, downloads, spool. Threads live here and nowhere else."""
