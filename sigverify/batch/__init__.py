"""A day's work without any orchestrator: take scans in, enrol, decide, reconcile, export, report.

``folder`` and ``manifest`` read what a bank delivers, ``landing`` makes a batch of it, ``enrolment`` makes templates,
``decisions`` decides a batch shard by shard (``copies`` finds repeated ink), ``export`` and ``report`` hand it on.
"""
