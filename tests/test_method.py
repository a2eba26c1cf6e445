import dataclasses
import math

import pytest

import basam
from basam.method import BiasMode, distances, head_slopes, length_scale


def test_length_scale_of_known_grids():
    assert length_scale(4096, 4096) == 1
    assert length_scale(128 * 128, 64 * 64) == pytest.approx(7 / 6)  # ln 2^14 / ln 2^12
    assert length_scale(32 * 32, 64 * 64) == pytest.approx(5 / 6)
    assert length_scale(1, 256) == 0


@pytest.mark.parametrize(("tokens", "trained", "message"), [(0, 16, "tokens=0"), (4, 1, "trained_tokens=1")])
def test_length_scale_refuses_impossible_grids(tokens, trained, message):
    with pytest.raises(ValueError, match=message):
        length_scale(tokens, trained)


def test_slopes_by_hand():
    assert head_slopes(3, 0.5).tolist() == [0.5, 0.5, 0.5]
    # ALiBi's own example: 8 heads have 1/2, 1/4, ..., 1/256.
    assert head_slopes(8, 1.0, "geometric").tolist() == [2.0**-h for h in range(1, 9)]
    assert head_slopes(4, 2.0, "geometric").tolist() == pytest.approx([2 * 2 ** (-2 * h) for h in range(1, 5)])
    with pytest.raises(ValueError, match="heads=0"):
        head_slopes(0, 1.0)


def test_distances_by_hand():
    assert distances(3).tolist() == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]


def test_default_is_the_identity_at_and_only_at_the_trained_size():
    for mode in (BiasMode(), BiasMode(scaling="log", strength=1.0, slope=0.4)):
        assert mode.factor(256, 256) == 1
        assert mode.mask_slopes(3, 256, 256) is None
    assert mode.factor(1024, 256) == pytest.approx(1.25)
    assert mode.mask_slopes(3, 1024, 256).tolist() == pytest.approx([0.25 * 0.4] * 3)
    assert BiasMode() != BiasMode.off()
    assert mode.factor(64, 256) == pytest.approx(0.75)
    assert mode.mask_slopes(3, 64, 256) is None  # no mask on fewer tokens than trained


def test_constant_schedule_keeps_the_slope():
    mode = BiasMode(schedule="constant", strength=1.0, slope=0.2)
    for tokens in (64, 256, 4096):
        assert mode.mask_slopes(2, tokens, 256).tolist() == pytest.approx([0.2, 0.2])


def test_strength_takes_its_share_of_factor_and_slope():
    mode = BiasMode(scaling="log", strength=0.5, slope=0.4)
    assert mode.factor(1024, 256) == pytest.approx(1.125)
    assert mode.mask_slopes(1, 1024, 256).tolist() == pytest.approx([0.5 * 0.4 * 0.25])
    assert BiasMode(scaling="log", strength=0).factor(1024, 256) == 1
    assert BiasMode(strength=0).mask_slopes(1, 1024, 256) is None


def test_off_is_plain_at_any_size():
    for tokens in (16, 256, 65536):
        assert BiasMode.off().factor(tokens, 256) == 1
        assert BiasMode.off().mask_slopes(4, tokens, 256) is None


def test_a_mode_survives_its_dictionary():
    mode = BiasMode(slope=0.3, slopes="geometric", decoder="log", aspect="axes")
    assert BiasMode.from_dict({}).aspect is None
    assert BiasMode.from_dict(dataclasses.asdict(mode)) == mode
    with pytest.raises(ValueError, match="unknown field 'slop'"):
        BiasMode.from_dict({"slop": 1})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scaling": "linear"}, "scaling='linear': allowed are log, none"),
        ({"slopes": "even"}, "slopes='even'"),
        ({"schedule": "x"}, "schedule='x'"),
        ({"aspect": "long"}, "aspect='long': allowed are axes, square"),
        ({"strength": 1.5}, "strength=1.5"),
        ({"strength": -0.1}, "strength=-0.1"),
        ({"slope": -1}, "slope=-1"),
        ({"slope": math.nan}, "slope=nan"),
        ({"slope": math.inf}, "slope=inf"),
        ({"slope": "steep"}, "slope='steep'"),
        ({"strength": True}, "strength=True"),
    ],
)
def test_bad_modes_name_field_value_and_what_is_allowed(values, message):
    with pytest.raises(ValueError, match=message):
        BiasMode(**values)


def test_modes_are_frozen_and_hashable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        basam.BiasMode().slope = 1
    assert len({basam.BiasMode(), basam.BiasMode(), basam.BiasMode.off()}) == 2


def test_with_the_reach_of_training_nothing_is_left_to_correct():
    mode = BiasMode(reach="trained", slope=0.5)
    assert [mode.factor(tokens, 4096) for tokens in (100, 4096, 65536)] == [1, 1, 1]
    assert mode.mask_slopes(12, 65536, 4096) is None
    assert dataclasses.replace(mode, schedule="constant", strength=0.5).effective_slope(65536, 4096) == 0.25
    assert [mode.window(grid, 64) for grid in ((40, 64), (40, 100), (256, 65))] == [(40, 64), (40, 64), (64, 64)]
    assert BiasMode().window((40, 100), 64) == (40, 100)
