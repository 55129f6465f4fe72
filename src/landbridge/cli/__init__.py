"""The command line."""

from landbridge.cli.main import main, parser

__all__ = ["main", "parser"]
