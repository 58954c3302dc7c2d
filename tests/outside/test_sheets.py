"""Spreadsheets on disk, and a disk that does not take them."""

from datetime import UTC
from pathlib import Path

import pytest

from app.outside.sheets import write_xlsx


def test_a_file_that_cannot_be_written_is_the_operating_system_s_own_trouble(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_xlsx(tmp_path / "no such folder" / "a.xlsx", ["name"], [["x"]], UTC)
