"""Folders on FTP servers."""
