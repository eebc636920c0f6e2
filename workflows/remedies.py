"""What to do where Temporal's client does not come to terms with its server; its own words tell few people that."""

import re

USUAL = "check TEMPORAL_ADDRESS"
REMEDIES = {
    r"InvalidCertificate": "its certificate is not trusted, or not for this host; check "
    "TEMPORAL_TLS_SERVER_CA_CERT_PATH and TEMPORAL_TLS_SERVER_NAME",
    r"401 Unauthorized|403 Forbidden|Unauthenticated|PermissionDenied": "it refuses the caller; check TEMPORAL_API_KEY "
    "and TEMPORAL_NAMESPACE",
    r"400 Bad Request|received fatal alert|KeyParseError|CertificateParseError": "the client's certificate is not "
    "taken; check TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH",
    r"InvalidContentType|CorruptMessage": f"it does not speak TLS; unset TEMPORAL_TLS, or {USUAL}",
    r"http2 error|FRAME_SIZE_ERROR|connection closed": "it does not speak gRPC in clear; set TEMPORAL_TLS to true, or "
    f"{USUAL}",
}
"""The first that is found counts."""


def remedy(error: str) -> str:
    """For the text of an error of Temporal's client."""
    return next((text for pattern, text in REMEDIES.items() if re.search(pattern, error)), USUAL)
