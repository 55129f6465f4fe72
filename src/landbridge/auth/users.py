"""The users of an org as logins see them: the columns of User that identity replies and SOAP logins show."""

from __future__ import annotations

from dataclasses import dataclass

from landbridge.storage import Reader

FIND = """
    SELECT "Id", "Username", "CommunityNickname", "Name", "Email", "FirstName", "LastName", "TimeZoneSidKey", "MobilePhone",
           "Street", "City", "State", "PostalCode", "Country", "IsActive", "UserType", "LanguageLocaleKey", "LocaleSidKey",
           "ProfileId", "UserRoleId", "LastModifiedDate"
    FROM "User" WHERE "Id" = ?
"""
KNOWN = """SELECT "Id" FROM "User" WHERE "Id" = ? OR "Username" = ?"""
ACTIVE = """SELECT "Id" FROM "User" WHERE "Username" = ? AND "IsActive" = 1"""


@dataclass(frozen=True)
class User:
    """One user; texts as stored, None where nothing was entered."""

    id: str
    username: str
    nickname: str
    name: str
    email: str
    first_name: str | None
    last_name: str
    time_zone: str
    mobile_phone: str | None
    street: str | None
    city: str | None
    state: str | None
    postal_code: str | None
    country: str | None
    active: int
    user_type: str
    language: str
    locale: str
    profile_id: str
    role_id: str | None
    modified: str


def find(reader: Reader, user_id: str) -> User:
    """The user of a session. A session's user exists: deleting users is not possible, on the platform either."""
    row = reader.one(FIND, (user_id,))
    assert row is not None, user_id
    return User(*row)


def known(reader: Reader, user_id: str, username: str) -> str | None:
    """The id of a user by id or by name, active or not."""
    row = reader.one(KNOWN, (user_id, username))
    return None if row is None else str(row[0])


def active(reader: Reader, username: str) -> str | None:
    """The id of an active user by name; None for anyone else."""
    row = reader.one(ACTIVE, (username,))
    return None if row is None else str(row[0])
