"""The rule that picks a candidate: one standard error, then the weaker correction."""

from dataclasses import replace

import pytest

from basam import BiasMode
from basam.lab.calibration.choice import Candidate, choose, describe, weight
from basam.lab.calibration.findings import provenance, table
from basam.lab.evaluation import canonical, paired_difference

PLAIN = BiasMode.off()
HALF, FULL = (BiasMode(scaling="log", strength=strength, slope=0.0) for strength in (0.5, 1.0))


def candidate(mode, *photos):
    return Candidate(mode, tuple((score,) for score in photos))


def test_the_obviously_best_is_picked():
    candidates = [candidate(PLAIN, 0.5, 0.6, 0.4), candidate(HALF, 0.6, 0.7, 0.5), candidate(FULL, 0.8, 0.91, 0.69)]
    assert choose(candidates).mode == FULL


def test_equal_candidates_go_to_the_weaker():
    assert choose([candidate(PLAIN, 0.5, 0.6), candidate(FULL, 0.8, 0.9), candidate(HALF, 0.8, 0.9)]).mode == HALF


def test_plain_is_picked_when_nothing_helps():
    assert choose([candidate(PLAIN, 0.5, 0.6), candidate(HALF, 0.4, 0.5), candidate(FULL, 0.3, 0.4)]).mode == PLAIN


def test_plain_is_picked_when_the_gain_is_within_its_error():
    assert choose([candidate(PLAIN, 0.5, 0.5, 0.5, 0.5), candidate(HALF, 0.9, 0.2, 0.8, 0.4)]).mode == PLAIN


def test_paired_difference_of_known_numbers():
    mean, error = paired_difference([1, 2, 3, 6], [0, 2, 2, 2])
    assert mean == 1.5
    assert error == pytest.approx(3**0.5 / 2)  # 1, 0, 1, 4 have a variance of 3
    with pytest.raises(ValueError, match="at least 2"):
        paired_difference([1], [0])


def test_modes_sort_from_plain_to_strong():
    geometric = BiasMode(scaling="log", strength=0.5, slope=0.1, slopes="geometric")
    modes = [
        PLAIN,
        BiasMode(scaling="none", slope=0.1),
        HALF,
        geometric,
        replace(geometric, slopes="uniform"),
        FULL,
        replace(FULL, slope=0.1),
    ]
    backwards = modes[::-1]
    assert sorted(backwards, key=weight) == modes


def test_modes_that_do_the_same_are_one():
    assert canonical(BiasMode(scaling="log", strength=0.0)) == PLAIN
    assert canonical(BiasMode(scaling="none", slope=0.0, schedule="constant", strength=0.5)) == PLAIN
    assert canonical(replace(FULL, slopes="geometric")) == FULL
    assert canonical(BiasMode()) == BiasMode()


def test_modes_in_words():
    assert describe(PLAIN) == "plain"
    assert describe(replace(HALF, slope=0.1)) == "factor 0.5, slope 0.05"
    mode = BiasMode(scaling="none", strength=1.0, slope=0.1, schedule="constant", slopes="geometric", decoder="log")
    assert describe(mode) == "slope 0.1 constant geometric, decoder 1"


def test_the_table_marks_the_chosen_one_and_its_difference_to_plain():
    plain = Candidate(PLAIN, ((0.5, 0.3), (0.7, 0.5)))
    half = Candidate(HALF, ((0.6, 0.5), (0.8, 0.9)))
    shown = table([plain, half], half, (512, 1024), "mean IoU")
    cells = [list(column.cells) for column in shown.columns]
    assert cells[:4] == [["plain", "factor 0.5"], ["0.5000", "0.7000"], ["0.6000", "0.7000"], ["0.4000", "0.7000"]]
    assert cells[4:] == [["", "+0.2000"], ["", "0.0500"], ["", "chosen"]]
    found = provenance([plain, half], half, on="a set")
    assert found["on"] == "a set"
    assert [row["chosen"] for row in found["candidates"]] == [False, True]
    assert found["candidates"][1]["minus_plain"] == pytest.approx(0.2)
