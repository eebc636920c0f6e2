"""Corrections of what the packager writes; whole jobs are held against the standards in `tests/integration`."""

from activities.media.manifests import with_accessible_choices

CAPTIONS = (
    'CHARACTERISTICS="public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"'
)


def line(name: str, language: str, rest: str) -> str:
    return f'#EXT-X-MEDIA:TYPE=SUBTITLES,URI="{name}.m3u8",GROUP-ID="text",LANGUAGE="{language}",NAME="{name}",{rest}'


def test_devices_may_choose_the_first_captions_of_a_language_beside_its_subtitles() -> None:
    made = [
        line("English", "en", "DEFAULT=NO,AUTOSELECT=YES"),
        line("English 2", "en", "DEFAULT=NO"),
        line("English (CC)", "en", f"DEFAULT=NO,{CAPTIONS}"),
        line("English (CC) 2", "en", f"DEFAULT=NO,{CAPTIONS}"),
        line("German (CC)", "de", f"DEFAULT=NO,AUTOSELECT=YES,{CAPTIONS}"),
        line("German (CC) 2", "de", f"DEFAULT=NO,{CAPTIONS}"),
    ]
    wanted = list(made)
    wanted[2] = line("English (CC)", "en", f"DEFAULT=NO,AUTOSELECT=YES,{CAPTIONS}")
    assert with_accessible_choices("\n".join([*made, ""])) == "\n".join([*wanted, ""])
