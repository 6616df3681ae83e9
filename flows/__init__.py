"""When, in which order, how often to retry: Prefect lives here and nowhere else; the work itself is in `sigverify`."""
