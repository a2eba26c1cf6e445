"""labelme's own reader of its files, without the window system that the rest of it asks for."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from unittest.mock import MagicMock

import pytest

# What labelme imports beside its reader. The reader itself uses none of them but the logger.
BESIDE = ("PyQt5", "PyQt5.QtCore", "PyQt5.QtGui", "PyQt5.QtWidgets", "imgviz", "imgviz.io", "loguru", "onnxruntime", "osam")


def label_file_class(monkeypatch: pytest.MonkeyPatch) -> type:
    """`labelme.LabelFile`; the test is skipped where labelme is not installed (`pip install --no-deps labelme` is enough)."""
    if importlib.util.find_spec("labelme") is None:
        pytest.skip("labelme is not installed: pip install --no-deps labelme")
    for name in BESIDE:
        monkeypatch.setitem(sys.modules, name, MagicMock())
    try:
        return importlib.import_module("labelme").LabelFile
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "labelme"]:
            monkeypatch.delitem(sys.modules, name)
