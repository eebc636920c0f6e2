"""The storage blocks of a job: `ContentAcquisition`, `ContentPublishing`, `ImageExtraction.Location`."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from activities.storage.azure.folder import blob_folder
from activities.storage.s3.address import Folder as S3Folder
from publishers.urls import Folder, FtpUrl, HttpFolder
from publishers.wire import OptionalSecret, Protected, Secret, spelled

Name = Annotated[str, Field(min_length=1, max_length=1000)]


class FilesLocation(Protected):
    """A folder below a root of the worker (`ENCODING_FILES_ROOT`): an absolute path or a `file:///` URI."""

    provider: Literal["Files"]
    uri_path: str = Field(min_length=1, max_length=4096)


class FtpsLocation(Protected):
    """A folder on an FTP server: `ftp://` no TLS, `ftpes://` explicit, `ftps://` implicit TLS; not SFTP."""

    provider: Literal["Ftps"]
    uri_path: FtpUrl
    credentials_name: Name
    credentials_secret: Secret


def _is_on_amazon(uri: str) -> str:
    S3Folder.on_amazon(uri)
    return uri


class _S3(Protected):
    at_amazon: ClassVar[bool] = False
    """Whether the host is Amazon's for sure: no other sees what the worker signs with credentials of its own."""
    credentials_name: Name | None = None
    """Key id."""
    credentials_secret: OptionalSecret = None
    role_arn_to_assume: str | None = Field(None, pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$")
    role_session_duration_in_seconds: int = Field(3600, ge=900, le=43_200)

    @model_validator(mode="after")
    def _has_credentials(self) -> Self:
        if (self.credentials_name is None) != (self.credentials_secret is None):
            raise ValueError("CredentialsName (the key id) and CredentialsSecret belong together; give both or none")
        if self.credentials_name is None and not (self.at_amazon and self.role_arn_to_assume):
            more = ", or RoleArnToAssume" if self.at_amazon else "; the worker's own are for Provider AmazonS3 alone"
            raise ValueError(f"has no credentials; give CredentialsName and CredentialsSecret{more}")
        return self


class AmazonS3Location(_S3):
    """A folder in a bucket of Amazon S3: `https://<bucket>.s3.<region>.amazonaws.com/<folder>/`."""

    at_amazon = True
    provider: Literal["AmazonS3"]
    uri_path: Annotated[Folder, AfterValidator(_is_on_amazon)]

    @property
    def folder(self) -> S3Folder:
        """What `UriPath` means."""
        return S3Folder.on_amazon(self.uri_path)


class S3CompatibleLocation(_S3):
    """A folder in a bucket of a service that speaks S3's protocol.

    `UriPath` is `<EndpointUrl>/<bucket>/<folder>/`, the same with the bucket in front of the host, or
    `s3://<bucket>/<folder>/`.
    """

    provider: Literal["AmazonS3Compatible"]
    uri_path: Folder
    endpoint_url: HttpFolder
    region: str = Field("us-east-1", min_length=1, max_length=100, pattern=r"^[A-Za-z0-9-]+$")

    @property
    def folder(self) -> S3Folder:
        """What `UriPath` means."""
        return S3Folder.on_compatible(self.uri_path, self.endpoint_url)

    @model_validator(mode="after")
    def _is_at_its_endpoint(self) -> Self:
        _ = self.folder
        return self


class AzureBlobLocation(Protected):
    """A folder in a container: `https://<account>.blob.core.windows.net/<container>/<folder>/`.

    Other hosts are those of other clouds, domains of the customer's own (`https://<host>/<container>/…`), and
    emulators, whose path begins with the account (`http://<host>/<account>/<container>/…`).
    """

    provider: Literal["AzureBlob"]
    uri_path: HttpFolder
    credentials_name: Name
    """Account."""
    credentials_secret: Secret
    """Account key."""

    @model_validator(mode="after")
    def _names_a_container(self) -> Self:
        blob_folder(self.uri_path, self.credentials_name)
        return self


class HttpLocation(Protected):
    """A folder that a web server lists as a page of links; for reading alone. Credentials are for Basic auth."""

    provider: Literal["Http"]
    uri_path: HttpFolder
    credentials_name: Name | None = None
    credentials_secret: OptionalSecret = None

    @model_validator(mode="after")
    def _has_both_or_none(self) -> Self:
        if (self.credentials_name is None) != (self.credentials_secret is None):
            raise ValueError("CredentialsName and CredentialsSecret belong together; give both or none")
        return self


Location = Annotated[
    FilesLocation | FtpsLocation | AmazonS3Location | S3CompatibleLocation | AzureBlobLocation | HttpLocation,
    Field(discriminator="provider"),
    spelled("Provider", "Ftps", "AmazonS3", "AmazonS3Compatible", "AzureBlob", "Http", "Files"),
]
"""Where content is read from."""

WritableLocation = Annotated[
    FilesLocation | FtpsLocation | AmazonS3Location | S3CompatibleLocation | AzureBlobLocation,
    Field(discriminator="provider"),
    spelled("Provider", "Ftps", "AmazonS3", "AmazonS3Compatible", "AzureBlob", "Files"),
]
"""Where results are put."""
