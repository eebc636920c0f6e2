"""The storage blocks of a job: `ContentAcquisition`, `ContentPublishing`, `ImageExtraction.Location`."""

from typing import Literal

from pydantic import Field

from publishers.wire import Wire


class FilesLocation(Wire):
    """A folder below a root of the worker (`ENCODING_FILES_ROOT`): an absolute path or a `file:///` URI."""

    provider: Literal["Files"]
    uri_path: str = Field(min_length=1, max_length=4096)


Location = FilesLocation
"""Any storage block; becomes a union by `Provider` as providers are added."""
