"""The contact sheet's command writes one row a writer."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as Pillow

from sigverify.synthesis.contact_sheet import main


def test_the_command_writes_a_small_png(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "docs" / "sheet.png"
    main(["--out", str(out), "--rows", "3", "--seed", "1"])
    with Pillow.open(out) as picture:
        assert picture.format == "PNG"
        assert picture.width > picture.height
    assert out.stat().st_size < 400_000
    assert "3 writers" in capsys.readouterr().out
