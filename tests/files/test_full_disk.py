"""What a full disk cannot take is named, and nothing half-written takes the place of a file."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from basam.errors import FullDiskError
from basam.files import append_json, write_image

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")
def test_a_line_that_does_not_fit():
    with pytest.raises(FullDiskError, match="no room to write /dev/full"):
        append_json(FULL, {"a": 1})


def test_a_jpeg_is_written_by_python_which_notices(tmp_path, monkeypatch):
    """Pillow's own writing takes what the system took of its last piece for all of it."""

    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FullDiskError, match=r"no room to write .*a\.jpg"):
        write_image(tmp_path / "a.jpg", np.zeros((4, 5, 3), dtype=np.uint8))
    assert list(tmp_path.iterdir()) == []
