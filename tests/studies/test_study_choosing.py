"""The rule that proposes defaults, on figures made by hand."""

from __future__ import annotations

from studies.length_study import choosing, tables
from studies.length_study.configurations import CORE, SQUEEZED, SWEEPS, names
from studies.length_study.results import Study
from tests.helpers.study_lines import lines_for

NAMES = [name for name in (*names(CORE), *names(SWEEPS)) if name != SQUEEZED.name]
ROWS = [(0.5, 0.3), (0.6, 0.2), (0.4, 0.1), (0.7, 0.4)] * 5  # IoU in detail and in scene of twenty units


def everywhere(by_name, first_seed=5_000_000):
    """Lines at all points of the rule for units of every other seed."""
    return [
        one
        for name, rows in by_name.items()
        for number, (detail, scene) in enumerate(rows)
        for regime, size in choosing.FINAL_POINTS
        for one in lines_for(f"{regime}/thin/{first_seed + 2 * number}", size, {name: detail if regime == "detail" else scene})
    ]


def study_of(by_name):
    """All configurations are as bad as can be, but those given."""
    return Study(everywhere(dict.fromkeys(NAMES, [(0.0, 0.0)] * 20) | by_name))


def test_the_rule_takes_what_is_better_in_both():
    study = study_of({"plain": ROWS, "mask 1": [(a + 0.01, b + 0.1) for a, b in ROWS]})
    assert choosing.shortlist(study)[0] == "mask 1"
    assert choosing.chosen(study, names(CORE)) == "mask 1"


def test_the_rule_takes_nothing_that_loses_in_more_detail():
    study = study_of({"plain": ROWS, "mask 1": [(a - 0.02, b + 0.3) for a, b in ROWS]})
    assert "mask 1" in choosing.finalists(study, names(CORE))
    assert choosing.chosen(study, names(CORE)) == "plain"


def test_a_tie_goes_to_the_weaker_correction():
    better = [(a + 0.01, b + 0.1) for a, b in ROWS]
    wobbling = [(a, b + 0.02 * (-1) ** i + 0.001) for i, (a, b) in enumerate(better)]
    assert choosing.chosen(study_of({"plain": ROWS, "mask 1": better, "both 1": wobbling}), names(CORE)) == "mask 1"


def test_scenes_for_reporting_have_no_say():
    measured = dict.fromkeys(NAMES, ROWS)
    odd = everywhere(measured | {"factor": [(1.0, 1.0)] * 20}, first_seed=5_000_001)
    assert choosing.chosen(Study(everywhere(measured) + odd), names(CORE)) == "plain"


def test_nothing_is_chosen_before_it_is_measured():
    assert choosing.chosen(Study([]), names(CORE)) is None
    assert tables.choice(Study([])) == tables.NOTHING
    swept_only = [one for one in everywhere(dict.fromkeys(NAMES, ROWS)) if one["size"] == 512]
    assert choosing.shortlist(Study(swept_only))
    assert choosing.chosen(Study(swept_only), names(CORE)) is None
