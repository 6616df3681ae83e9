"""Similarity, fusion over references, cohort normalisation, calibration, operating point.

numpy, scipy and scikit-learn only. A score is the similarity of a query and a template: higher is more genuine, always.
"""
