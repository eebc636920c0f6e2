from pathlib import Path

SERVERS = Path(__file__).parents[2] / ".venv-servers" / "bin"
"""Programs of the servers that live in an environment of their own; `make test` makes it."""
