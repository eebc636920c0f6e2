"""What of a format is published: its files as they are, or in archives."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname, relpath

from activities.package import PackagedFormat
from activities.storage.base import Content
from activities.storage.tar import Tar


@dataclass(frozen=True)
class Published:
    """Names relative to the location."""

    media: dict[str, list[str]]
    """Files, and archives with the files that they hold."""
    manifests: list[str]
    links: dict[str, str]

    @property
    def names(self) -> list[str]:
        """All, manifests last."""
        return [*self.media, *self.manifests]

    def files(self, name: str) -> list[str]:
        """What `name` is made of: itself, or the files of the archive."""
        return self.media.get(name) or [name]

    def content(self, root: Path, name: str) -> Content:
        """What is sent to `name`; an archive is made while it is read, and needs no space of its own.

        Raises:
            OSError: an archive's file is not there.
        """
        if not (members := self.media.get(name)):
            return root / name
        return Tar(name, [(root / member, relpath(member, dirname(name) or ".")) for member in members])


def published(output: PackagedFormat) -> Published:
    """Its files and archives. Unpacked where it lies, an archive gives the files that there would be without it."""
    if output.archiving == "SingleTar":
        archive = f"{output.type.lower()}.tar"
        return Published({archive: [*output.files, *output.manifests]}, [], dict.fromkeys(output.links, archive))
    media: dict[str, list[str]] = {}
    beside = {dirname(manifest) for manifest in output.links.values()}
    for name in output.files:
        # A track that is a single file needs none.
        if output.archiving == "Tar" and dirname(name) not in beside:
            media.setdefault(f"{dirname(name)}.tar", []).append(name)
        else:
            media[name] = []
    return Published(media, output.manifests, output.links)


def places_of(location: str, output: PackagedFormat) -> list[str]:
    """Names for the folders of its main manifests, or archives, at a location (see `Source.place`).

    Another job may come to the same folder by another location; it gets the same name.
    """
    tops = {dirname(name) for name in (*output.links.values(), *published(output).links.values())}
    folders = (f"{location}{top}/" if top else location for top in tops)
    return sorted(hashlib.sha256(folder.encode()).hexdigest() for folder in folders)
