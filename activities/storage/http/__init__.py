"""Folders on web servers, for reading."""
