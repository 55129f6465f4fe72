"""
What an org has before anybody uses it: the organization, profiles, the first users, the values behind status picklists.

Names and values are those of a fresh Developer org as far as `../shared/standard` and the recordings tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from landbridge import ids
from landbridge.access import ADMINISTRATOR, READ_ONLY
from landbridge.chance import Chance
from landbridge.ids import RecordId
from landbridge.schema.catalog import Catalog
from landbridge.schema.numbers import Numbers
from landbridge.storage import Reader, Tx
from landbridge.storage.dialect import quote

INTEGRATION_USER = "integration@landbridge.localhost"

TABLES = ("CREATE TABLE lb_org (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID",)

GET = "SELECT value FROM lb_org WHERE key = ?"
SET = "INSERT INTO lb_org (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

# object -> its rows in order; a status table's first row is its default
_STATUS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "CaseStatus": (
        ("New", {"IsDefault": 1}), ("Working", {}), ("Escalated", {}), ("Closed", {"IsClosed": 1}),
    ),
    "LeadStatus": (
        ("Open - Not Contacted", {"IsDefault": 1}), ("Working - Contacted", {}),
        ("Closed - Converted", {"IsConverted": 1}), ("Closed - Not Converted", {}),
    ),
    "TaskStatus": (
        ("Not Started", {"IsDefault": 1}), ("In Progress", {}), ("Completed", {"IsClosed": 1}),
        ("Waiting on someone else", {}), ("Deferred", {}),
    ),
    "TaskPriority": (("High", {"IsHighPriority": 1}), ("Normal", {"IsDefault": 1}), ("Low", {})),
    "ContractStatus": (
        ("In Approval Process", {"StatusCode": "InApproval"}), ("Activated", {"StatusCode": "Activated"}),
        ("Draft", {"IsDefault": 1, "StatusCode": "Draft"}),
    ),
    "OrderStatus": (("Draft", {"IsDefault": 1, "StatusCode": "Draft"}), ("Activated", {"StatusCode": "Activated"})),
    "OpportunityStage": (
        *((label, {"DefaultProbability": chance, "ForecastCategory": "Pipeline", "ForecastCategoryName": "Pipeline"})
          for label, chance in (
            ("Prospecting", 10.0), ("Qualification", 10.0), ("Needs Analysis", 20.0), ("Value Proposition", 50.0),
            ("Id. Decision Makers", 60.0), ("Perception Analysis", 70.0), ("Proposal/Price Quote", 75.0),
            ("Negotiation/Review", 90.0))),
        ("Closed Won", {"DefaultProbability": 100.0, "IsClosed": 1, "IsWon": 1, "ForecastCategory": "Closed",
                        "ForecastCategoryName": "Closed"}),
        ("Closed Lost", {"DefaultProbability": 0.0, "IsClosed": 1, "ForecastCategory": "Omitted",
                         "ForecastCategoryName": "Omitted"}),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Org:
    """The ids everything else stands on."""

    org_id: RecordId
    admin_id: RecordId
    integration_id: RecordId
    instance: str = "LB0"
    name: str = "Landbridge"


def load(reader: Reader) -> Org | None:
    """The org of a database; None for one that is new."""
    found = [reader.one(GET, (key,)) for key in ("org_id", "admin_id", "integration_id")]
    if any(row is None for row in found):
        return None
    return Org(*(RecordId(row[0]) for row in found if row is not None))


def get(reader: Reader, key: str) -> str | None:
    """One of the org's kept values, e.g. the digest of the standard objects its tables were made from."""
    row = reader.one(GET, (key,))
    return None if row is None else str(row[0])


def put(tx: Tx, key: str, value: str) -> None:
    """Keep a value of the org."""
    tx.run(SET, (key, value))


class Genesis:
    """Makes the first rows; used once, in one unit of work, on an empty database."""

    def __init__(self, tx: Tx, catalog: Catalog, numbers: Numbers, chance: Chance) -> None:
        self._tx = tx
        self._catalog = catalog
        self._numbers = numbers
        # Org ids differ from org to org, as clients that keep logins by org id expect.
        self._org_id = ids.make("00D", chance.below(62**8))
        self._admin = numbers.id(tx, "005")

    def make(self, username: str) -> Org:
        """Everything a new org holds. `username` is the administrator's."""
        license_id = self._add("UserLicense", {"Name": "Salesforce", "MasterLabel": "Salesforce", "Status": "Active"})
        profile = {"UserLicenseId": license_id, "UserType": "Standard"}
        administrator = self._add("Profile", {"Name": ADMINISTRATOR, **profile})
        read_only = self._add("Profile", {"Name": READ_ONLY, **profile})
        self._user(self._admin, username, "Ada", "Admin", administrator)
        integration = self._numbers.id(self._tx, "005")
        self._user(integration, INTEGRATION_USER, "Ines", "Integration", read_only)
        self._organization()
        self._add("Pricebook2", {"Name": "Standard Price Book", "IsActive": 1, "IsStandard": 1})
        for sobject, rows in _STATUS.items():
            for order, (label, values) in enumerate(rows, start=1):
                self._add(
                    sobject, {"MasterLabel": label, "ApiName": label, "SortOrder": order, "IsActive": 1, **values}
                )
        org = Org(self._org_id, self._admin, integration)
        for key, value in (("org_id", org.org_id), ("admin_id", org.admin_id), ("integration_id", integration)):
            put(self._tx, key, value)
        return org

    def _organization(self) -> None:
        self._add(
            "Organization",
            {"Name": "Landbridge", "InstanceName": "LB0", "IsSandbox": 0, "OrganizationType": "Developer Edition",
             "DefaultLocaleSidKey": "en_US", "LanguageLocaleKey": "en_US", "TimeZoneSidKey": "America/Los_Angeles",
             "FiscalYearStartMonth": 1, "UsesStartDateAsFiscalYearName": 0, "PrimaryContact": "Ada Admin", "Country": "US",
             "ReceivesInfoEmails": 1, "ReceivesAdminInfoEmails": 1, "PreferencesLightningLoginEnabled": 1,
             "DefaultAccountAccess": "Edit", "DefaultContactAccess": "ControlledByParent",
             "DefaultOpportunityAccess": "Edit", "DefaultLeadAccess": "ReadEditTransfer",
             "DefaultCaseAccess": "ReadEditTransfer", "DefaultCalendarAccess": "HideDetailsInsert",
             "DefaultPricebookAccess": "ReadSelect", "DefaultCampaignAccess": "All", "UiSkin": "Theme3",
             "SignupCountryIsoCode": "US", "NumKnowledgeService": 2, "WebToCaseDefaultOrigin": "Web",
             "MonthlyPageViewsUsed": 0, "MonthlyPageViewsEntitlement": 0, "IsReadOnly": 0},
            self._org_id,
        )  # fmt: skip

    def _user(self, user_id: RecordId, username: str, first: str, last: str, profile_id: RecordId) -> None:
        self._add(
            "User",
            {"Username": username, "Email": username, "FirstName": first, "LastName": last, "Name": f"{first} {last}",
             "Alias": first.lower(), "CommunityNickname": username.partition("@")[0], "IsActive": 1,
             "ProfileId": profile_id, "UserType": "Standard", "TimeZoneSidKey": "America/Los_Angeles",
             "LocaleSidKey": "en_US", "LanguageLocaleKey": "en_US", "EmailEncodingKey": "UTF-8", "Country": "US",
             "ForecastEnabled": 0},
            user_id,
        )  # fmt: skip

    def _add(self, sobject: str, values: dict[str, Any], record_id: RecordId | None = None) -> RecordId:
        """One row with the columns that the object has (the facts differ from table to table)."""
        entity = self._catalog.get(sobject)
        assert entity is not None, sobject
        assert entity.key_prefix is not None, sobject
        record_id = record_id or self._numbers.id(self._tx, entity.key_prefix)
        row = {
            "Id": record_id, **values,
            "CreatedDate": self._tx.stamp, "LastModifiedDate": self._tx.stamp, "SystemModstamp": self._tx.stamp,
            "CreatedById": self._admin, "LastModifiedById": self._admin,
        }  # fmt: skip
        kept = {name: value for name, value in row.items() if (f := entity.field(name)) is not None and f.stored}
        names = ", ".join(map(quote, kept))
        self._tx.run(
            f"INSERT INTO {quote(entity.name)} ({names}) VALUES ({', '.join('?' * len(kept))})", tuple(kept.values())
        )
        return record_id
