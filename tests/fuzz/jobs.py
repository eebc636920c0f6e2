"""A job with everything in it, and with secrets that are known by their mark."""

from typing import Any

MARK = "s3cr3tM4rk"
"""In each secret of the job: where it turns up, one has escaped."""
KEY = "czNjcjN0TTRya2tleTEyMw=="
"""A content key: base64 of 16 bytes, among them the mark."""
FILES = {"Provider": "Files", "UriPath": "/media/out"}

JOB: dict[str, Any] = {
    "ExternalId": "title-1",
    "ExternalType": "film",
    "ExternalProvider": "shelf",
    "TenantId": "studio",
    "MessagePublishers": [
        {
            "Type": "RabbitMQ",
            "Protocol": "amqps",
            "Host": "broker",
            "Port": 5671,
            "VirtualHost": "/",
            "Queue": "events",
            "CredentialsName": "me",
            "CredentialsSecret": MARK,
        },
        {
            "Type": "AzureServiceBusQueue",
            "Connection": f"Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=me;SharedAccessKey={MARK}=",
            "Format": "json",
            "Queue": "events",
        },
        {
            "Type": "AmazonSqs",
            "QueueUrl": "https://sqs.eu-central-1.amazonaws.com/1/events.fifo",
            "Region": "eu-central-1",
            "CredentialsName": "me",
            "CredentialsSecret": MARK,
        },
        {"Type": "Ftps", "UriPath": "ftpes://host/events", "CredentialsName": "me", "CredentialsSecret": MARK},
        {"Type": "Files", "UriPath": "/media/events"},
    ],
    "ContentAcquisition": {
        "Provider": "AmazonS3",
        "UriPath": "https://films.s3.eu-central-1.amazonaws.com/title/",
        "CredentialsName": "me",
        "CredentialsSecret": MARK,
        "CredentialsProtection": "Unencrypted",
        "RoleArnToAssume": "arn:aws:iam::123456789012:role/encoding",
        "RoleSessionDurationInSeconds": 3600,
    },
    "MediaMappings": {
        "MediaDetection": "Regex",
        "VideoStreamExpression": r"\.mp4$",
        "AudioFileLanguageExpression": r"-(?<lang>\w+)\.wav$",
        "AudioStreams": [{"Language": "fr", "FileNameExpression": r"french\.wav$"}],
        "SubtitleLanguages": ["en", "pt-BR"],
        "AudioMappings": {"VideoStreamAudioTracks": [{"TrackIndices": [1, 2], "Language": "en"}]},
        "FailOnIgnoredFiles": True,
        "FallbackLanguageCode": "en",
    },
    "ContentProcessing": {
        "OutputFormat": ["Dash", "Hls"],
        "VideoFormat": "H265",
        "VideoRepresentations": [{"Height": 1080, "BitrateInKbps": 3400}, {"Width": 640, "BitrateInKbps": 320}],
        "AudioRepresentations": [{"BitrateInKbps": 384, "Sound": "5.1", "AudioFormat": "AC3"}],
        "ExtractAndApplyHDR": True,
        "Naming": {"ManifestName": "index", "VideoChunksPattern": "movie"},
        "VisibleVideoWatermarks": [
            {
                "WatermarkFileName": "logo.png",
                "PositionXPercentage": 90,
                "PositionYPercentage": 5.5,
                "StartTime": "00:00:05.5",
                "EndTime": 60,
                "SizePercentage": 20,
            }
        ],
        "DrmProtection": "Managed",
        "DrmManaged": {
            "ApiUrl": "https://keys/api",
            "TenantId": "studio",
            "ManagementKey": MARK,
            "KeySeed": MARK,
            "Thumbprints": "ab" * 20,
            "MultiKey": True,
        },
    },
    "ContentPublishing": {
        "Provider": "AzureBlob",
        "UriPath": "https://shelf.blob.core.windows.net/vod/title/",
        "CredentialsName": "shelf",
        "CredentialsSecret": MARK,
    },
    "ImageExtraction": {"Quality": 80, "Intervals": [10, 50.5], "Pattern": "still_%.jpg", "Location": FILES},
    "Thumbnails": {"Generate": True, "Width": 160, "DurationInSeconds": 5},
}
"""Another with the sections that exclude these."""
OTHER: dict[str, Any] = JOB | {
    "ContentAcquisition": {
        "Provider": "Http",
        "UriPath": "https://host/films/",
        "CredentialsName": "me",
        "CredentialsSecret": MARK,
    },
    "MediaMappings": {"MediaDetection": "Convention", "FallbackLanguageCode": None},
    "ContentProcessing": {
        "OutputFormat": "DashOnDemand",
        "VideoFormat": "DoNotEncode",
        "DrmProtection": "Base64Key",
        "KeyId": "0b0f1f9a-6f0c-4e5a-9f57-0f6f2a1d2c3b",
        "ContentKey": KEY,
        "ExplicitIV": "0" * 32,
    },
    "ContentPublishing": {
        "Provider": "AmazonS3Compatible",
        "UriPath": "s3://vod/title/",
        "EndpointUrl": "https://store:9000",
        "CredentialsName": "me",
        "CredentialsSecret": MARK,
    },
}
