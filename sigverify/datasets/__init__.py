"""Labelled signature sets into a catalogue: their layouts, the import, the repeats among their images."""

from sigverify.datasets.importing import ImportSummary, import_dataset

__all__ = ["ImportSummary", "import_dataset"]
