"""The rules of Media Mapping: what names claim, and which tracks are used."""
