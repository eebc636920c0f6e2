from hypothesis import given
from hypothesis import strategies as st

from activities.series import shortened, written_out


def test_what_is_numbered_becomes_a_line_for_each_folder() -> None:
    names = [
        f"{folder}/{number}.m4s" for folder in ("dash/video-H264-90-100k", "dash/audio-en") for number in (1, 2, 3)
    ]
    assert shortened([*names, "dash/audio-en/init.mp4", "dash/audio-en/7.m4s"]) == [
        "dash/audio-en/init.mp4",
        "dash/video-H264-90-100k/<1-3>.m4s",
        "dash/audio-en/<1-3>.m4s",
        "dash/audio-en/7.m4s",
    ]


def test_a_film_of_ten_hours_takes_few_words() -> None:
    names = [f"dash/video-{track}/{number}.m4s" for track in range(10) for number in range(1, 9001)]
    assert len("".join(shortened(names))) < 400
    assert [*written_out(shortened(names))] == names


STEMS = st.text("ab1-.0", max_size=4)
NAMES = st.builds(
    "{}{}{}.{}".format, st.sampled_from(["", "a/", "a/b1/"]), STEMS, st.integers(0, 30), st.sampled_from(["m4s", "mp4"])
)


@given(st.sets(NAMES | STEMS.map("x{}".format)))
def test_no_name_is_lost_and_none_is_added(names: set[str]) -> None:
    again = [*written_out(shortened(names))]
    assert (set(again), len(again)) == (names, len(names))
