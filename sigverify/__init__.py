"""Offline handwritten signature verification for banks.

Nothing heavy is imported here: ``import sigverify`` costs milliseconds, and each room imports its own libraries.
"""

__version__ = "0.1.0"
