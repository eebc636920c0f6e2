"""Whose certificates are trusted: those of the system's authorities, or of the file in `ENCODING_CA_FILE`."""

import os
import ssl

VARIABLE = "ENCODING_CA_FILE"


def authorities() -> str | None:
    """The PEM file with the authorities to trust instead of the system's; None = the system's."""
    return os.environ.get(VARIABLE) or None


def verifying() -> ssl.SSLContext:
    """For a client: certificate and host name are verified.

    Raises:
        OSError: the file cannot be read, or holds no certificate.
    """
    return ssl.create_default_context(cafile=authorities())
