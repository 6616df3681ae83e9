"""Pen-like synthetic signatures: writers, forgers, pen and ink, paper and scanner (numpy, scipy, PIL).

>>> from sigverify.synthesis.sets import draw_signatures
>>> scans = draw_signatures(n_writers=2, n_genuine=3, n_forgeries=2, seed=0)
>>> len(scans.images)
10
"""
