"""The console script `encoding`; short, as loading the rest takes a second in which somebody may press Ctrl-C."""

import signal


def main() -> None:
    """Hand over to the command; until then Ctrl-C just ends the process."""
    raises = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from workflows import cli  # noqa: PLC0415 - see above

    signal.signal(signal.SIGINT, raises)
    cli.main()
