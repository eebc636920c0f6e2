"""Whose certificates are trusted: those of the system's authorities, or of the file in `ENCODING_CA_FILE`."""

import os
import ssl

VARIABLE = "ENCODING_CA_FILE"


def authorities() -> str | None:
    """The PEM file with the authorities to trust instead of the system's; None = the system's."""
    return os.environ.get(VARIABLE) or None


def is_cut_off(error: BaseException) -> bool:
    """Whether TLS ended in mid-sentence: so answers who stands before servers of which none is there just now.

    Libraries hand the words of OpenSSL on, inside errors of their own.
    """
    return "UNEXPECTED_EOF" in str(error) or "EOF occurred" in str(error)


def verifying() -> ssl.SSLContext:
    """For a client: certificate and host name are verified.

    Raises:
        OSError: the file cannot be read, or holds no certificate.
    """
    return ssl.create_default_context(cafile=authorities())
