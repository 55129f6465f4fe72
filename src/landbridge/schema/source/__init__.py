"""sfdx source: what a project adds to an org, and what of it was understood."""

from landbridge.schema.source.finding import Finding, Severity
from landbridge.schema.source.project import Source, read
from landbridge.schema.source.report import report

__all__ = ["Finding", "Severity", "Source", "read", "report"]
