"""The study of studies/extrapolation.py in miniature: what is measured, how it is summed up, that nothing is done twice."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import basam
from basam.attention import separable_bias
from basam.lab.evaluation import Results
from studies.length_study import page, tables
from studies.length_study.attention import recorded_entropies
from studies.length_study.configurations import ALL, CORE, DECODER, SWEEPS, by_effect, names
from studies.length_study.measuring import PROMPTS, Task, Worker
from studies.length_study.pictures import INSTANCES, for_choosing, generated, picked, reduced_mask, sample_id
from studies.length_study.plan import Amounts, Stage, absent, expected_seconds, stages
from studies.length_study.results import Point, Study, estimate
from tests.helpers.study_lines import line, lines_for

# Configurations


def test_names_say_what_the_modes_are():
    assert names(CORE) == ("squeezed", "plain", "factor", "mask 0.1", "both 0.1")
    assert len(ALL) == len(CORE) + len(SWEEPS) + 1, "no name stands for two configurations"
    assert ALL["plain"].mode == basam.BiasMode.off()
    swept = ALL["both 1 x 0.5"].mode
    assert (swept.scaling, swept.slope, swept.strength) == ("log", 1.0, 0.5)
    assert DECODER.mode == basam.BiasMode(scaling="none", slope=0.0, decoder="log")
    assert {c.mode.schedule for c in ALL.values()} == {"extrapolation"}, "the identity at the trained size"


@pytest.mark.parametrize(
    ("side", "groups"),
    [
        (16, [names(CORE)]),
        # Smaller than trained: the factor is below 1 and the schedule takes the mask away.
        (8, [("squeezed",), ("plain", "mask 0.1"), ("factor", "both 0.1")]),
        (32, [(name,) for name in names(CORE)]),
    ],
)  # fmt: skip
def test_what_does_the_same_is_encoded_once(side, groups):
    assert [names(group) for group in by_effect(names(CORE), (side, side), 16)] == groups


def test_a_photograph_that_is_not_square_has_another_number_of_tokens_at_the_trained_side():
    groups = by_effect(("squeezed", "plain", "factor"), (12, 16), 16)
    assert [names(group) for group in groups] == [("squeezed",), ("plain",), ("factor",)]


# Pictures


def test_units_are_all_domains_in_turn_and_both_halves():
    samples = [sample_id("detail", unit) for unit in range(10)]
    assert [sample.split("/")[1] for sample in samples[:5]] == ["thin", "salient", "lesion", "camouflage", "crowd"]
    assert len(set(samples)) == 10
    assert [for_choosing(sample) for sample in samples] == [True] * 5 + [False] * 5


def test_a_mosaic_begins_with_the_scene_of_its_unit():
    tile, mosaic = generated("detail/salient/5000001", 256), generated("scene/salient/5000001", 512)
    assert mosaic.image.shape == (512, 512, 3)
    np.testing.assert_array_equal(mosaic.image[:256, :256], tile.image)


def test_instances_are_picked_by_the_seed_alone():
    assert picked(4, 0) == [0, 1, 2, 3]
    assert len(picked(30, 1)) == INSTANCES
    assert picked(30, 1) == picked(30, 1) != picked(30, 2)


def test_a_reduced_mask_has_the_pixels_that_are_covered_by_half():
    mask = np.zeros((4, 2048), dtype=bool)
    mask[:2, :3] = True  # all of the first pixel, half of the second
    mask[2, 4] = True  # a quarter of another
    assert np.argwhere(reduced_mask(mask)).tolist() == [[0, 0], [0, 1]]


# Statistics


def test_the_interval_of_a_mean_by_hand():
    assert estimate([0.25] * 8) == (0.25, 0.25, 0.25, 8)
    found = estimate([0.0] * 50 + [1.0] * 50)
    # The mean of 100 draws of a fair coin: 0.5 with a standard error of 0.05.
    assert found.mean == 0.5
    assert (found.low, found.high) == pytest.approx((0.5 - 1.96 * 0.05, 0.5 + 1.96 * 0.05), abs=0.015)
    assert estimate([-0.2, -0.1] * 10).is_loss
    assert not found.is_loss


def test_differences_are_paired_by_unit_and_instances_are_averaged_first():
    study = Study(
        [
            line("detail/thin/5000000", 512, "factor", "gt-box", 0.2, 0.4, 0.9),
            line("detail/thin/5000000", 512, "plain", "gt-box", 0.1, 0.2, 0.3),
            line("detail/thin/5000001", 512, "factor", "gt-box", 1.0),
        ]
    )
    point = Point("detail", 512)
    found = study.difference((point, "factor"), (point, "plain"), "gt-box")
    assert found is not None
    assert (found.mean, found.units) == (pytest.approx(0.3), 1), "the unit without plain takes no part"
    mean = study.mean(point, "factor", "gt-box")
    assert mean is not None
    assert mean.mean == pytest.approx(0.75)
    assert study.difference((point, "mask"), (point, "plain"), "gt-box") is None


def test_a_mosaic_of_one_tile_is_the_scene():
    study = Study([line("detail/thin/5000000", 256, "plain", "gt-box", 0.5)])
    assert study.of(Point("scene", 256), "plain", "gt-box") == {"thin/5000000": 0.5}


# The plan


def test_a_stage_asks_for_what_is_missing_and_for_nothing_twice():
    stage = Stage("a", "quality", {"detail/thin/5000000": {512: ("plain", "factor"), 1024: ("plain",)}})
    results = Results()
    assert [task.wanted for task in stage.tasks(results)] == [{512: ("plain", "factor")}, {1024: ("plain",)}]
    results.add(lines_for("detail/thin/5000000", 512, {"plain": 0.5}))
    results.add([line("detail/thin/5000000", 512, "factor", "gt-box", 0.5)])  # its click is missing
    assert [task.wanted for task in stage.tasks(results)] == [{512: ("factor",)}, {1024: ("plain",)}]
    results.add(lines_for("detail/thin/5000000", 512, {"factor": 0.5}) + lines_for("detail/thin/5000000", 1024, {"plain": 0.5}))
    assert not list(stage.tasks(results))


def test_entropy_and_float32_are_asked_for_by_lines_of_their_own():
    results = Results()
    results.add(lines_for("detail/thin/5000000", 512, {"plain": 0.5}))
    asked = "detail/thin/5000000", 512, ("plain",)
    assert absent(results, "quality", *asked) == ()
    assert absent(results, "entropy", *asked) == absent(results, "float32", *asked) == ("plain",)


def test_what_is_stopped_has_the_most_important_first():
    plan = list(stages(Results(), Amounts(units=20, large=10, few=5), None))
    assert [stage.name for stage in plan][:2] == ["up to 512 px", "slopes and strengths at 512 px"]
    first, swept = (list(stage.tasks(Results())) for stage in plan[:2])
    assert {(task.sample.split("/")[0], *task.wanted) for task in first} == {
        *(("detail", size) for size in (128, 192, 256, 384, 512)),
        ("scene", 512),
    }
    assert len({task.sample for task in first if task.sample.startswith("detail")}) == 20
    assert all(for_choosing(task.sample) for task in swept)
    assert all(wanted == names(SWEEPS) for task in swept for wanted in task.wanted.values())


def test_expected_time_is_that_of_the_lines_to_come():
    tasks = [Task("quality", "detail/thin/5000000", {512: ("plain", "factor")})]
    cost = {("gt-box", "detail", 512): 2.0, ("gt-point", "detail", 512): 3.0}
    assert expected_seconds(tasks, cost) == 10.0


# A worker, on the embedded model


def test_a_worker_measures_a_scene_with_every_configuration():
    worker = Worker("nano", None)
    found = worker.do(Task("quality", "detail/salient/5000000", {128: ("plain", "factor", "mask 0.1")}))
    assert {(one["method"], one["prompt"]) for one in found} == {
        (m, p) for m in ("plain", "factor", "mask 0.1") for p in PROMPTS
    }
    by_method = {one["method"]: one["instances"] for one in found if one["prompt"] == "gt-box"}
    assert by_method["plain"] == by_method["mask 0.1"], "there is no mask below the trained size"
    assert all(0 <= one["metrics"]["iou"] <= 1 for one in by_method["plain"])
    results = Results()
    results.add(found)
    assert absent(results, "quality", "detail/salient/5000000", 128, ("plain", "factor", "mask 0.1")) == ()


def test_entropy_of_uniform_attention_is_that_of_all_keys():
    worker = Worker("nano", None)
    model = worker.predictor(torch.bfloat16).model
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "qkv" in name or "rel_pos" in name:
                parameter.zero_()
    for sample, size in (("detail/salient/5000000", 128), ("detail/salient/5000000", 384), ("scene/salient/5000000", 512)):
        (found,) = worker.do(Task("entropy", sample, {size: ("plain",)}))
        assert found["layers"] == pytest.approx([2 * math.log(size / 16)] * len(found["layers"]), abs=1e-3)


@pytest.mark.parametrize("mode", [basam.BiasMode.off(), basam.BiasMode(slope=0.5)])
def test_entropy_is_that_of_the_whole_matrix_and_leaves_no_trace(tiny, mode):
    model = basam.attach(tiny, mode)
    seen = []
    layers = model.vision_encoder.layers
    hooks = [layers[n].attn.register_forward_pre_hook(lambda module, args: seen.append((module, args[0]))) for n in (1, 3)]
    pixels = torch.randn(1, 3, 96, 128)
    with torch.no_grad():
        with recorded_entropies(model, torch.tensor([[0.2, 0.2], [5.4, 7.8], [3.0, 1.0]])) as recorded:
            watched = model.vision_encoder(pixels).last_hidden_state
        for hook in hooks:
            hook.remove()
        assert torch.equal(watched, model.vision_encoder(pixels).last_hidden_state)
    assert len(recorded) == 2
    for (module, hidden), entropy in zip(seen, recorded, strict=True):
        q, k, _ = module.qkv(hidden).unflatten(-1, (3, 2, 16)).flatten(1, 2).permute(2, 0, 3, 1, 4)
        slopes = module.basam.mask_slopes(2, module.basam_layer)
        tables = module.tables((6, 8), (6, 8), q.dtype)
        rows, cols = separable_bias(q, (6, 8), (6, 8), tables, None if slopes is None else slopes.to(q))
        bias = (rows[..., :, None] + cols[..., None, :]).flatten(-2)
        whole = (module.scale * module.basam.factor * q @ k.mT + bias).softmax(-1)[0, :, [0, 5 * 8 + 7, 3 * 8 + 1]]
        assert entropy == pytest.approx(torch.special.entr(whole).sum(-1).mean().item(), abs=1e-4)
    assert all("attend_grid" not in vars(module) for module in model.modules())


# The page


def test_blocks_are_filled_and_the_text_between_them_stays():
    texts = ["before\n<!-- begin a -->\nold\n<!-- end a -->\nafter\n", "<!-- begin b-c -->\n<!-- end b-c -->\n"]
    filled = page.fill(texts, {"a": "one\ntwo", "b-c": "three"})
    assert filled == [
        "before\n<!-- begin a -->\none\ntwo\n<!-- end a -->\nafter\n",
        "<!-- begin b-c -->\nthree\n<!-- end b-c -->\n",
    ]
    assert page.fill(filled, {"a": "one\ntwo", "b-c": "three"}) == filled
    with pytest.raises(ValueError, match="differ: b-c"):
        page.fill(texts, {"a": ""})


def test_the_pages_of_the_results_have_all_the_blocks():
    results = Path(__file__).parents[2] / "docs" / "results"
    blocks = {"made", "proposal", *tables.blocks(Study([]), [1])}
    page.fill([(results / name).read_text(encoding="utf-8") for name in page.PAGES], dict.fromkeys(blocks, ""))


def test_a_difference_whose_interval_misses_zero_is_bold():
    assert tables.difference_cell(estimate([0.1] * 20)) == "**+0.100** (+0.100 to +0.100)"
    assert tables.difference_cell(estimate([0.1] * 19)) == "+0.100 (+0.100 to +0.100)", "few pictures prove nothing"
    assert tables.difference_cell(estimate([0.0, 0.0])) == "same"
    assert tables.difference_cell(estimate([-1.0, 1.0])).startswith("+0.000 (")
    assert tables.difference_cell(None) == ""
