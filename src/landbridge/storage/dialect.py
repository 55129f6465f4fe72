"""The few spellings in which the databases differ. PostgreSQL's row comes with its implementation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """`text`: the type of a column whose text is compared without case; `exact`: of one compared as it is."""

    name: str
    text: str
    exact: str
    integer: str
    real: str
    columns: str
    """A query for the column names of the table given as its one parameter."""
    views: str
    """A query for the names of all views."""
    local: str
    """A function of a stored datetime and the name of a time zone: the local time in the same form."""
    now: str
    """A function without arguments: the org's moment in whole seconds since 1970, for views."""

    def local_time(self, expression: str, zone: str) -> str:
        """A stored datetime as local time, by SQL."""
        return f"{self.local}({expression}, {zone})"


SQLITE = Dialect(
    name="sqlite",
    text="TEXT COLLATE NOCASE",
    exact="TEXT",
    integer="INTEGER",
    real="REAL",
    columns="SELECT name FROM pragma_table_info(?)",
    views="SELECT name FROM sqlite_schema WHERE type = 'view'",
    local="lb_local",
    now="lb_now",
)


def quote(name: str) -> str:
    """A name of the catalogue as an SQL identifier. Raises ValueError for what can be no API name."""
    if not name.replace("_", "a").isalnum() or not name.isascii():
        raise ValueError(f"not an API name: {name!r}")
    return f'"{name}"'
