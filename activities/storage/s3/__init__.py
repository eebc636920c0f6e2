"""Amazon S3, and services that speak its protocol. Imports nothing: job descriptions are parsed without boto3."""
