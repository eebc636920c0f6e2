"""The argument lists, word for word: whoever changes one sees here what ffmpeg is told."""

from dataclasses import replace
from pathlib import Path

from activities.cuts import Chunk
from activities.media.audio import Request, audio_command
from activities.media.command import (
    GLOBAL,
    extract_text_command,
    image_command,
    join_command,
    thumbnails_command,
    video_command,
)
from activities.media.manifests import Tiles
from activities.media.marks import Mark
from activities.media.video import Span
from activities.plan import AudioRendition, Plan, VideoRendition
from activities.tracks import AudioTrack, MonoTrack, SourceFile, VideoTrack

FILE = SourceFile("client's name.mp4", "source/0001.mp4", 1)
VIDEO = VideoTrack(FILE, 2, "h264", 1280, 720, "24000/1001", 10.0, 240, 3000)
RUNGS = [VideoRendition("small", 416, 234, 320), VideoRendition("large", 1280, 720, 2450)]
LIMITS = ["-format_whitelist", "-protocol_whitelist"]
MP4 = ["-f", "mp4"]


def words(command: list[str]) -> list[str]:
    """Without what all commands share."""
    assert command[1 : len(GLOBAL) + 1] == list(GLOBAL)
    return command[len(GLOBAL) + 1 :]


def option(command: list[str], name: str) -> list[str]:
    return [command[place + 1] for place, word in enumerate(command) if word == name]


def graph(command: list[str]) -> list[str]:
    return option(command, "-filter_complex")[0].split(";")


def video(chunk: Chunk, start: float = 0.0) -> list[str]:
    outputs = {"small": Path("/w/s.mp4"), "large": Path("/w/l.mp4")}
    return video_command(Span(Path("/w/0001.mp4"), replace(VIDEO, start=start), Plan(video=RUNGS), chunk), outputs)


def test_one_decode_feeds_every_rendition() -> None:
    command = words(video(Chunk(0)))
    assert option(command, "-i") == ["file:/w/0001.mp4"]
    assert graph(command) == [
        "[0:2]setpts=PTS-STARTPTS[s0]",
        "[s0]split=2[s1][s2]",
        "[s1]scale=416:234:flags=bicubic[s3]",
        "[s3]setsar=1[s4]",
        "[s4]format=yuv420p[s5]",
        "[s2]scale=1280:720:flags=bicubic[s6]",
        "[s6]setsar=1[s7]",
        "[s7]format=yuv420p[s8]",
    ]


def test_the_arguments_of_a_rendition() -> None:
    command = words(video(Chunk(0)))
    start, end = command.index("[s5]") - 1, command.index("file:/w/s.mp4")
    assert command[start : end + 1] == [
        *("-map", "[s5]"),
        *MP4,
        *("-b:v", "320k"),
        *("-b_strategy", "2"),
        *("-bf", "4"),
        *("-bufsize", "640k"),
        *("-c:v", "libx264"),
        *("-enc_time_base", "filter"),
        *("-flags", "+cgop"),
        *("-force_key_frames", "expr:gte(t,n_forced*2)"),
        *("-fps_mode", "vfr"),
        *("-g", "48"),
        *("-map_chapters", "-1"),
        *("-map_metadata", "-1"),
        *("-maxrate", "480k"),
        *("-mixed-refs", "0"),
        *("-partitions", "i4x4+i8x8+p8x8"),
        *("-preset", "medium"),
        *("-profile:v", "high"),
        *("-sc_threshold", "0"),
        "file:/w/s.mp4",
    ]


def test_the_arguments_of_h265() -> None:
    plan = Plan(video=[replace(RUNGS[0], codec="H265")], preset="fast")
    command = words(video_command(Span(Path("/w/0001.mp4"), VIDEO, plan, Chunk(0)), {"small": Path("/w/s.mp4")}))
    options = ("-c:v", "-tag:v", "-forced-idr", "-flags", "-g", "-maxrate", "-bufsize", "-preset", "-x265-params")
    assert [option(command, name) for name in options] == [
        ["libx265"],
        ["hvc1"],
        ["1"],
        ["+cgop"],
        ["48"],
        ["480k"],
        ["640k"],
        ["fast"],
        ["log-level=error:open-gop=0:scenecut=0"],
    ]


def test_a_chunk_is_read_from_before_it_and_cut_between_pictures() -> None:
    command = words(video(Chunk(3, 36.036, 12.012, seek=34.0, read=14.25, clock=1.4, lag=0.036)))
    assert command[0] == "-copyts"
    assert command.index("-ss") < command.index("-i")
    assert (option(command, "-ss"), option(command, "-t")) == (["34.0"], ["14.25"])
    assert graph(command)[:2] == ["[0:2]trim=end=49.447900:start=37.435900[s0]", "[s0]setpts=PTS-STARTPTS[s1]"]
    assert option(command, "-force_key_frames")[0] == "expr:gte(t+0.036000,n_forced*2)"


def test_a_chunk_of_constant_quality_keeps_its_peaks() -> None:
    span = Span(Path("/w/0001.mp4"), VIDEO, Plan(video=RUNGS[:1]), Chunk(1, 9), {"small": 23.5}, is_thrifty=True)
    command = words(video_command(span, {"small": Path("/w/s.mp4")}))
    names = ("-crf", "-b:v", "-maxrate", "-bufsize", "-rc_init_occupancy")
    assert [option(command, name) for name in names] == [["23.5"], [], ["480k"], ["640k"], ["128k"]]


def test_a_late_picture_is_preceded_by_copies_of_itself() -> None:
    assert graph(words(video(Chunk(0), start=0.5)))[1:3] == [
        "[s0]tpad=start=12:start_mode=clone[s1]",
        "[s1]setpts=if(lt(N\\,12)\\,N*0.041708333/TB\\,PTS-if(eq(N\\,12)\\,st(0\\,PTS)\\,ld(0))+0.500500/TB)[s2]",
    ]


def test_a_later_chunk_needs_none() -> None:
    assert not any("tpad" in step for step in graph(words(video(Chunk(3, 36.0, 12.0), start=0.5))))


def test_every_input_may_open_local_media_alone() -> None:
    for command in (
        video(Chunk(0)),
        extract_text_command(Path("/w/a.mkv"), {2: Path("/w/a.vtt")}),
        image_command(Path("/w/a.mp4"), VIDEO, 1.0, 80, Path("/w/a.jpg")),
    ):
        assert option(command, "-protocol_whitelist") == ["file"]
        (formats,) = option(command, "-format_whitelist")
        assert not {"hls", "concat", "dash", "sdp", "rtsp", "lavfi", "image2"} & set(formats.split(","))


def test_sound_of_two_files_is_one_command() -> None:
    other = SourceFile("other.wav", "source/0002.wav", 1)
    tracks = [AudioTrack(FILE, 1, "en", "aac", 6, 10.0), AudioTrack(other, 0, "de", "pcm_s16le", 1, 10.0)]
    made = [
        AudioRendition("a", 0, "en", 128, "Stereo"),
        AudioRendition("b", 0, "en", 384, "5.1"),
        AudioRendition("c", 1, "de", 64, "Mono", format="AC3"),
    ]
    sources = {FILE.path: Path("/w/1.mp4"), other.path: Path("/w/2.wav")}
    request, outputs = Request(sources, tracks, Plan(audio=made)), {n: Path(f"/w/{n}.mp4") for n in "abc"}
    command = words(audio_command(request, outputs, {}))
    assert option(command, "-i") == ["file:/w/1.mp4", "file:/w/2.wav"]
    assert graph(command) == [
        "[0:1]aresample=async=1:first_pts=0[s0]",
        "[s0]asplit=2[s1][s2]",
        "[s1]aresample=ochl=stereo:rematrix_maxval=1[s3]",
        "[s3]aformat=sample_rates=44100|48000[s4]",
        "[s2]aresample=ochl=5.1:rematrix_maxval=1[s5]",
        "[s5]aformat=sample_rates=44100|48000[s6]",
        "[1:0]aresample=async=1:first_pts=0[s7]",
        "[s7]aresample=ochl=mono:rematrix_maxval=1[s8]",
        "[s8]aformat=sample_rates=44100|48000[s9]",
    ]
    assert option(command, "-b:a") == ["128k", "384k", "64k"]
    assert option(command, "-c:a") == ["aac", "aac", "ac3"]


def test_mono_tracks_are_joined_in_their_order_and_padded_to_the_longest() -> None:
    mono = [MonoTrack(3, 10.0), MonoTrack(1, 9.5)]
    tracks = [AudioTrack(FILE, 3, "en", "pcm_s24le", 2, 10.0, mono=mono), AudioTrack(FILE, 1, "de", "aac", 1, 9.5)]
    made = [AudioRendition("a", 0, "en", 128, "Stereo"), AudioRendition("b", 1, "de", 64, "Mono")]
    outputs = {n: Path(f"/w/{n}.mp4") for n in "ab"}
    steps = graph(words(audio_command(Request({FILE.path: Path("/w/1.mp4")}, tracks, Plan(audio=made)), outputs, {})))
    assert steps[:5] == [
        "[0:3]aresample=async=1:first_pts=0[s0]",
        "[0:1]aresample=async=1:first_pts=0[s1]",
        "[s1]asplit=2[s2][s3]",
        "[s2]apad=pad_dur=0.5[s4]",
        "[s0][s4]join=channel_layout=stereo:inputs=2:map=0.0-FL|1.0-FR[s5]",
    ]


def test_text_tracks_are_read_in_one_go() -> None:
    command = words(extract_text_command(Path("/w/1.mkv"), {4: Path("/w/a.vtt"), 2: Path("/w/b.vtt")}))
    assert option(command, "-i") == ["file:/w/1.mkv"]
    assert option(command, "-map") == ["0:4", "0:2", "0:v?", "0:a?", "0:2"]
    assert option(command, "-f") == ["webvtt", "webvtt", "null"]


def test_joining_copies() -> None:
    command = words(join_command(Path("/w/list.txt"), Path("/w/out.mp4")))
    assert option(command, "-f") == ["concat", "mp4"]
    assert option(command, "-c") == ["copy"]
    assert "-safe" not in command


def test_quality_of_images_runs_from_worst_to_best() -> None:
    qualities = [image_command(Path("/w/a.mp4"), VIDEO, 1.0, q, Path("/w/a.jpg")) for q in (1, 50, 80, 100)]
    assert [option(command, "-q:v") for command in qualities] == [["31"], ["17"], ["8"], ["2"]]


def test_a_mark_lives_by_the_clock_of_the_film() -> None:
    mark = Mark("m.rgba", 64, 32, x=10, y=20, start=62, end=70, fade_in=1, fade_out=0.5)
    outputs = {"small": Path("/w/s.mp4")}
    plan, files = Plan(video=RUNGS[:1]), [(Path("/w/m.rgba"), mark)]
    command = words(video_command(Span(Path("/w/0001.mp4"), VIDEO, plan, Chunk(1, 60.0)), outputs, marks=files))
    assert option(command, "-i") == ["file:/w/0001.mp4", "file:/w/m.rgba"]
    assert option(command, "-video_size") == ["64x32"]
    assert graph(command)[:-4] == [
        "[0:2]trim=start=59.999900[s0]",
        "[s0]setpts=PTS-STARTPTS[s1]",
        "[s1]scale=1280:720[s2]",
        "[s2]setsar=1[s3]",
        "[1:v]format=yuva420p[s4]",
        "[s4]loop=loop=-1:size=1[s5]",
        "[s5]setpts=(60.000000+N/(24000/1001))/TB[s6]",
        "[s6]fade=alpha=1:duration=1:start_time=62:type=in[s7]",
        "[s7]fade=alpha=1:duration=0.5:start_time=69.5:type=out[s8]",
        "[s8]setpts=PTS-60.000000/TB[s9]",
        "[s3][s9]overlay=enable=gte(t\\,2.000)*lt(t\\,10.000):eof_action=repeat:format=yuv420:shortest=1:x=10:y=20[s10]",
    ]


def test_thumbnails_need_no_more_than_key_frames() -> None:
    tiles = Tiles("thumbnails", 160, 90, 5, 4, 10, 600, 0)
    command = words(thumbnails_command(Path("/w/s.mp4"), tiles, 4, Path("/w/%d.jpg"), only_keys=True))
    assert option(command, "-skip_frame") == ["nokey"]
    assert graph(command) == [
        "[0:v:0]tpad=stop=-1:stop_mode=clone[s0]",
        "[s0]fps=fps=1000/10000:round=up:start_time=0[s1]",
        "[s1]trim=end_frame=60[s2]",
        "[s2]scale=iw*sar:ih[s3]",
        "[s3]scale=force_original_aspect_ratio=decrease:h=90:w=160[s4]",
        "[s4]pad=h=90:w=160:x=(ow-iw)/2:y=(oh-ih)/2[s5]",
        "[s5]setsar=1[s6]",
        "[s6]format=yuvj420p[s7]",
        "[s7]tile=5x4[s8]",
    ]
