"""A table held against its data contract: good rows go on, every bad row gets every reason, never just the first.

The contracts are the ODCS documents of ``data_contracts/``; what is checked is what they say, nothing else.
"""

from sigverify.contracts.document import Column, Contract, RowRule, Rule
from sigverify.contracts.outcome import Checked, Trailer

__all__ = ["Checked", "Column", "Contract", "RowRule", "Rule", "Trailer"]
