"""Who is asking: passwords, sessions, OAuth grants, sealed secrets, certificates."""

from landbridge.auth import apps as _apps
from landbridge.auth import passwords as _passwords
from landbridge.auth import sessions as _sessions
from landbridge.auth.apps import Apps
from landbridge.auth.credentials import Credentials
from landbridge.auth.grants import Grants
from landbridge.auth.passwords import Passwords
from landbridge.auth.seal import Seal
from landbridge.auth.sessions import Session, Sessions

TABLES = (*_passwords.TABLES, *_sessions.TABLES, *_apps.TABLES)

__all__ = ["TABLES", "Apps", "Credentials", "Grants", "Passwords", "Seal", "Session", "Sessions"]
