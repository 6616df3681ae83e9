"""The data contracts: one ODCS document for each table that crosses a boundary, and the examples that test it."""
