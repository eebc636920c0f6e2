from activities.text.cues import Cue, document


def times(*cues: Cue, length: int | None = None) -> list[str]:
    return [line for line in document(cues, length).split("\n") if "-->" in line]


def test_cues_are_in_order_and_may_overlap() -> None:
    assert times(Cue(2000, 3000, "b"), Cue(1000, 2500, "a")) == [
        "00:00:01.000 --> 00:00:02.500",
        "00:00:02.000 --> 00:00:03.000",
    ]


def test_a_reversed_end_is_repaired_until_the_next_cue() -> None:
    assert times(Cue(1000, 500, "a"), Cue(1500, 1500, "b"), Cue(9000, 9500, "c"))[:2] == [
        "00:00:01.000 --> 00:00:01.500",
        "00:00:01.500 --> 00:00:04.500",
    ]


def test_nothing_is_shown_behind_the_film() -> None:
    assert times(Cue(1000, 10**15, "a"), Cue(5000, 6000, "b"), length=5000) == ["00:00:01.000 --> 00:00:05.000"]


def test_the_hour_at_which_a_tape_starts_is_taken_off() -> None:
    assert times(Cue(36_001_000, 36_002_000, "a"), length=60_000) == ["00:00:01.000 --> 00:00:02.000"]


def test_no_text_ends_its_cue() -> None:
    assert document([Cue(0, 1, " a\n\n\x85 \nb --> c\x08")], None).endswith("\na\nb --&gt; c\n")
