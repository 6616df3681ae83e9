"""A file from the bank -> a signature image, or the reason why not.

``read`` decodes, ``clean`` finds ink on paper, ``quality`` judges and measures, ``place`` puts the ink on the canvas,
``prepare`` runs them in order, ``fingerprint`` finds copies of the same ink.
"""
