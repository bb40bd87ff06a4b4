"""Singer tap for the Supermetrics API."""
