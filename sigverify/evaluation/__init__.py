"""Writer-disjoint protocols, trials, metrics with intervals, controls, plots and the benchmark.

``metrics``, ``intervals``, ``likelihood``, ``trials`` and ``protocols`` know arrays and tables only; ``controls``,
``benchmark`` and ``calibration_trials`` use a verifier and a catalogue.
"""
