"""From what samples take to one constant quality."""

import math
from dataclasses import replace

import pytest

from activities.plan import Plan, VideoRendition
from activities.rates import BEST, WORST, Measured, added, corrected, first_guess, is_near

PLAN = Plan(video=[VideoRendition("a", 640, 360, 800), VideoRendition("b", 1280, 720, 2400)])


def measured(quality: float, *kbps: float) -> Measured:
    """Samples of ten seconds; `b` always is on target."""
    return Measured(
        {"a": quality, "b": 23.0},
        {"a": [round(each * 1250) for each in kbps], "b": [3_000_000] * len(kbps)},
        [10.0] * len(kbps),
        [*range(len(kbps))],
    )


def test_a_first_guess_is_better_where_more_bits_are_given() -> None:
    small, large = first_guess(PLAN, "25/1").values()
    assert 15 < small < large < 26
    assert first_guess(PLAN, "50/1")["a"] > small


def test_twice_the_size_is_about_six_steps() -> None:
    assert corrected(PLAN, [measured(20, 1600)]) == pytest.approx({"a": 26.0, "b": 23.0}, abs=0.01)


def test_two_rounds_tell_what_a_step_does() -> None:
    rounds = [measured(20, 3200), measured(28, 1600)]
    assert corrected(PLAN, rounds)["a"] == pytest.approx(36.0, abs=0.01)


def test_what_a_step_does_is_told_by_the_samples_of_both_rounds() -> None:
    """Eight steps halve the scene that is in both; that another was added says nothing."""
    rounds = [measured(20, 1600), measured(28, 800, 600)]
    assert corrected(PLAN, rounds)["a"] == pytest.approx(28 - 8 * math.log2(800 / 700), abs=0.02)


def test_what_a_scene_at_the_peak_rate_cannot_take_others_get() -> None:
    """1200 kbit/s are the most that a scene of `a` has: the rest of 1600 is for the other scene."""
    assert corrected(PLAN, [measured(20, 12_000, 400)])["a"] == pytest.approx(20.0, abs=0.01)


@pytest.mark.parametrize(("kbps", "factor"), [(1, BEST), (1e9, WORST)])
def test_there_are_limits_to_what_is_asked(kbps: float, factor: float) -> None:
    assert corrected(PLAN, [measured(20, kbps)])["a"] == factor


def test_near_is_near_in_all_renditions_or_as_good_as_can_be_seen() -> None:
    assert is_near(PLAN, measured(20, 812))
    assert not is_near(PLAN, measured(20, 830))
    assert is_near(PLAN, measured(BEST, 200))


def test_parts_add_up() -> None:
    both = added([measured(20, 800), replace(measured(20, 1600), samples=[1])])
    assert both == measured(20, 800, 1600)
