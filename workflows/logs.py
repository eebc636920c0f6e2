"""What the service writes to its log, and what it does not."""

import logging

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# They log what they raise, with stack traces and at times with credentials; what is raised is told by the publishers.
SILENCED = ("azure", "boto3", "botocore", "pika", "urllib3")


def log_to_stderr(level: str) -> None:
    """From `level` (`INFO`, …) on; libraries whose errors are told otherwise stay silent.

    Raises:
        ValueError: there is no such level.
    """
    logging.basicConfig(level=level.upper(), format=FORMAT)
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
