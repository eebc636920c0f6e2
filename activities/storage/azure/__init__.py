"""Folders in containers of Azure Blob Storage."""
