"""The catalogues a measurement may read, found by the data sets they hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sigverify.errors import BadInput, NotFound
from sigverify.storage.store import FACTS, Store

if TYPE_CHECKING:
    import pandas as pd


class Sources:
    """Open catalogues; the first is the one asked for, the others lend training writers. Tables are read once."""

    def __init__(self, stores: Sequence[Store]) -> None:
        if not stores:
            raise BadInput("no catalogue to measure on", next="give --data CATALOGUE or --data-root FOLDER")
        self.stores = tuple(stores)
        self._tables: dict[int, pd.DataFrame] = {}

    @classmethod
    def open(cls, data: Path | None, root: Path | None = None) -> Sources:
        """The catalogue `data`, then every catalogue folder in `root`. Raises NotFound where there is none."""
        folders = [] if data is None else [data]
        if root is not None:
            found = sorted(place.parent for place in Path(root).glob(f"*/{FACTS}"))
            if not found:
                expected = f"folders with {FACTS}"
                raise NotFound(f"no catalogues in {root}", expected=expected, next="run sigverify import-dataset first")
            folders += [place for place in found if data is None or place.resolve() != Path(data).resolve()]
        return cls([Store.open(place) for place in folders])

    def table(self, store: Store) -> pd.DataFrame:
        """All signatures of one of the catalogues."""
        if id(store) not in self._tables:
            self._tables[id(store)] = store.signatures()
        return self._tables[id(store)]

    def datasets(self) -> dict[str, Store]:
        """{data set: the first catalogue that holds it}."""
        found: dict[str, Store] = {}
        for store in self.stores:
            for name in sorted(self.table(store)["dataset"].unique()):
                found.setdefault(str(name), store)
        return found

    def of(self, dataset: str) -> Store:
        """The catalogue that holds a data set, the first one for "". Raises BadInput where none does."""
        if not dataset:
            return self.stores[0]
        held = self.datasets()
        if dataset not in held:
            raise BadInput(
                f"no catalogue holds {dataset}",
                got=", ".join(sorted(held)) or "empty catalogues",
                next=f"import {dataset} under this name, or name the folder of catalogues with --data-root",
            )
        return held[dataset]

    def writer_ids(self) -> list[str]:
        """Every writer of every data set, each set from one catalogue."""
        tables = [(name, self.table(store)) for name, store in self.datasets().items()]
        return sorted(
            {str(w) for name, rows in tables for w in rows.loc[rows["dataset"] == name, "writer_id"].unique()}
        )
