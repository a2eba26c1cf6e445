"""Settings: what is refused, and which encodings they make."""

from __future__ import annotations

from typing import Any

import pytest

from basam.lab.data import PromptSpec
from basam.lab.evaluation.settings import EvaluateSettings, Variant
from basam.lab.metrics import metrics_for
from basam.method import BiasMode


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": (0,)}, r"size 0: a long side in pixels or 'native'"),
        ({"sizes": (64, 64)}, "sizes: 64 is given twice"),
        ({"methods": ("sliding",)}, "methods: 'sliding' is unknown: known are resize, plain, "),
        ({"metrics": ("beauty",)}, "metrics: 'beauty' is unknown"),
        ({"dtype": "int8"}, "dtype='int8': allowed are"),
        ({"limit": 0}, "limit=0: a whole number of at least 1"),
        ({"prompts": ()}, "at least one prompt is needed, or a detector's results"),
    ],
)
def test_what_cannot_be_run_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EvaluateSettings(kind="folder", root=".", **changes)


def test_resize_is_one_encoding_whatever_the_sizes() -> None:
    settings = EvaluateSettings(kind="folder", root=".", sizes=(512, "native"), methods=("resize", "basam"))
    assert settings.variants(1024) == [Variant(1024, "resize"), Variant(512, "basam"), Variant("native", "basam")]
    assert Variant("native", "basam").long_side is None


def test_metrics_are_those_of_the_kind() -> None:
    assert EvaluateSettings(kind="dis5k", root=".").metrics == metrics_for("dis5k")
    assert EvaluateSettings(kind="dis5k", root=".", metrics=("iou",)).metrics == ("iou",)


def test_settings_become_json() -> None:
    values = EvaluateSettings(
        kind="folder", root=".", prompts=(PromptSpec.parse("k-points:2+1"),), mode=BiasMode(slope=0.1)
    ).to_dict()
    assert values["prompts"] == ["k-points:2+1"]
    assert values["mode"]["slope"] == 0.1
