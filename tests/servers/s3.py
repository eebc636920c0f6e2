import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.servers.certificates import certificates
from tests.servers.environment import SERVERS
from tests.servers.ports import free_ports
from tests.servers.process import Process

PROGRAM = str(SERVERS / "weed")
PLAIN = Config(
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    connect_timeout=2,
    read_timeout=30,
    retries={"total_max_attempts": 1},
)


def _policy(allowed: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | allowed]}


ALL = ["arn:aws:s3:::*", "arn:aws:s3:::*/*"]
STS: dict[str, Any] = {
    "sts": {
        "tokenDuration": "1h",
        "maxSessionLength": "12h",
        "issuer": "tests",
        "signingKey": base64.b64encode(b"k" * 32).decode(),
    },
    "policy": {"defaultEffect": "Deny", "storeType": "memory"},
    "policies": [
        {"name": action, "document": _policy({"Action": [action], "Resource": ALL})}
        for action in ("s3:*", "s3:PutObject")
    ],
}


@dataclass(frozen=True)
class Identity:
    """Who may do what, in all buckets: `Read` is GetObject, `List` HeadBucket too, `Write` all that changes objects."""

    actions: tuple[str, ...]
    key_id: str
    secret: str


class S3:
    """A real store, seaweedfs, that checks signatures and permissions; master, volumes and gateway in one process.

    It has STS as well: any identity may assume the roles.
    """

    region = "us-east-1"
    bucket = "media.example"
    admin = Identity(("Admin",), "admin-key", "s3cret/Admin+key")
    reader = Identity(("Read", "List"), "reader-key", "s3cret-Reader")
    writer = Identity(("Write",), "writer-key", "s3cret-Writer")
    lister = Identity(("List",), "lister-key", "s3cret-Lister")
    everything = "arn:aws:iam::123456789012:role/everything"
    put_only = "arn:aws:iam::123456789012:role/put-only"
    """Narrower than `writer`, who may also delete."""

    def __init__(self, folder: Path) -> None:
        ports = free_ports(9)
        self.port, self.tls_port = ports[:2]
        self.url = f"http://127.0.0.1:{self.port}"
        self.tls = certificates(folder / "tls")
        self.client = self.connect(self.admin)
        people = [self.admin, self.reader, self.writer, self.lister]
        (folder / "identities.json").write_text(json.dumps({"identities": [*map(_identity, people)]}))
        roles = [_role(self.everything, "s3:*"), _role(self.put_only, "s3:PutObject")]
        (folder / "roles.json").write_text(json.dumps(STS | {"roles": roles}))
        (folder / "data").mkdir()
        self._process = Process(self._command(folder, ports), folder / "s3.log", self._answers, install="make test")
        self.stop = self.kill = self._process.kill
        """It takes TERM, but fifteen seconds to end."""

    def start(self) -> None:
        self._process.start()

    def restart(self) -> None:
        self.kill()
        self.start()

    def connect(self, identity: Identity) -> Any:
        """A plain client."""
        return boto3.session.Session(identity.key_id, identity.secret).client(
            "s3", endpoint_url=self.url, region_name=self.region, config=PLAIN
        )

    def _command(self, folder: Path, ports: list[int]) -> list[str]:
        s3, s3_tls, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc = ports
        return [
            PROGRAM,
            f"-logdir={folder}",
            "server",
            f"-dir={folder / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-master.port={master}",
            f"-master.port.grpc={master_grpc}",
            "-master.electionTimeout=1s",
            "-master.volumeSizeLimitMB=1024",
            f"-volume.port={volume}",
            f"-volume.port.grpc={volume_grpc}",
            "-volume.max=20",
            "-volume.preStopSeconds=0",
            "-filer",
            f"-filer.port={filer}",
            f"-filer.port.grpc={filer_grpc}",
            f"-filer.localSocket={folder / 'filer.sock'}",
            "-s3",
            f"-s3.port={s3}",
            f"-s3.port.https={s3_tls}",
            f"-s3.port.grpc={s3_grpc}",
            f"-s3.cert.file={self.tls.certificate}",
            f"-s3.key.file={self.tls.key}",
            f"-s3.localSocket={folder / 's3.sock'}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.autoCreateBucket=false",
            f"-s3.config={folder / 'identities.json'}",
            f"-s3.iam.config={folder / 'roles.json'}",
        ]

    def _answers(self) -> bool:
        """Ready when an object can be written: ports are open long before."""
        try:
            self.client.create_bucket(Bucket=self.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("BucketAlreadyExists", "BucketAlreadyOwnedByYou"):
                return False
        except BotoCoreError:
            return False
        try:
            self.client.put_object(Bucket=self.bucket, Key="ready", Body=b"x" * 100_000)
        except (BotoCoreError, ClientError):
            return False
        return True


def _identity(identity: Identity) -> dict[str, Any]:
    credentials = [{"accessKey": identity.key_id, "secretKey": identity.secret}]
    return {"name": identity.key_id, "credentials": credentials, "actions": [*identity.actions]}


def _role(arn: str, action: str) -> dict[str, Any]:
    return {
        "roleName": arn.rpartition("/")[2],
        "roleArn": arn,
        "attachedPolicies": [action],
        "trustPolicy": _policy({"Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole"]}),
    }
