"""The tools: ffmpeg, ffprobe and Shaka Packager. Only this package knows their arguments and exits."""
