from datetime import UTC, datetime

from publishers.events import AcquisitionProgress, ImagesExtractionFailure, Message, Sender, message

JOB_ID = "5d3c1f8e-6a53-4a0e-9d8e-0f6d2a6b7c11"
SENDER = Sender(JOB_ID, "tenant", external_id="title-1")
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def lifecycle(number: int = 1, text: str = "größer, 世界") -> Message:
    return message(SENDER, number, AT, ImagesExtractionFailure(message=text))


def progress(number: int = 1, percent: int = 7) -> Message:
    return message(SENDER, number, AT, AcquisitionProgress(progress=percent))
