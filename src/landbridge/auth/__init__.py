"""Who is asking: passwords, sessions, OAuth grants, sealed secrets, certificates."""

from landbridge.auth import apps as _apps
from landbridge.auth import codes as _codes
from landbridge.auth import first_apps
from landbridge.auth import keys as _keys
from landbridge.auth import passwords as _passwords
from landbridge.auth import refresh as _refresh
from landbridge.auth import sessions as _sessions
from landbridge.auth.apps import Apps
from landbridge.auth.credentials import Credentials
from landbridge.auth.failures import Failures
from landbridge.auth.flows import Flows
from landbridge.auth.grants import Grants
from landbridge.auth.keys import Keys
from landbridge.auth.passwords import Passwords
from landbridge.auth.seal import Seal
from landbridge.auth.sessions import Session, Sessions

TABLES = (*_passwords.TABLES, *_sessions.TABLES, *_apps.TABLES, *_refresh.TABLES)
DOORS = (*_apps.MORE, *_refresh.MORE, *_sessions.MORE, *_codes.TABLES, *_keys.TABLES)
"""What the further logins need: a migration of its own."""

__all__ = [
    "DOORS", "TABLES", "Apps", "Credentials", "Failures", "Flows", "Grants", "Keys", "Passwords", "Seal", "Session", "Sessions",
    "first_apps",
]  # fmt: skip
