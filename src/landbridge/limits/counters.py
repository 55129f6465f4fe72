"""
API use: counted in memory, flushed with the next commit or each second, kept by the day.

Source: `rest.md` sections 1 and 8. Maxima are those of a Developer org; the count starts anew at midnight UTC (a real org
counts a rolling 24 hours: `differs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from landbridge.clock import Clock
from landbridge.storage import Reader, Tx

HOUR, DAY = 3600, 86400
PUBLISHED = "HourlyPublishedPlatformEvents"

TABLES = ("CREATE TABLE lb_usage (day TEXT PRIMARY KEY NOT NULL, calls INTEGER NOT NULL) WITHOUT ROWID",)

KEEP = """
    INSERT INTO lb_usage (day, calls) VALUES (?1, ?2)
    ON CONFLICT (day) DO UPDATE SET calls = max(calls, excluded.calls)
"""
KEEP_HOUR = """
    INSERT INTO lb_usage_hour (hour, published) VALUES (?1, ?2)
    ON CONFLICT (hour) DO UPDATE SET published = excluded.published
"""
KEPT_HOUR = "SELECT published FROM lb_usage_hour WHERE hour = ?"
KEPT = "SELECT calls FROM lb_usage WHERE day = ?"

HOUR_TABLES = ("CREATE TABLE lb_usage_hour (hour INTEGER PRIMARY KEY NOT NULL, published INTEGER NOT NULL)",)

# Name -> maximum, in the order of the recorded reply (limits-v58: alphabetical, a Developer org).
MAXIMA: dict[str, int] = {
    "ActiveScratchOrgs": 3, "AnalyticsExternalDataSizeMB": 40960, "ConcurrentAsyncGetReportInstances": 200,
    "ConcurrentEinsteinDataInsightsStoryCreation": 5, "ConcurrentEinsteinDiscoveryStoryCreation": 2,
    "ConcurrentSyncReportRuns": 20, "DailyAnalyticsDataflowJobExecutions": 60,
    "DailyAnalyticsUploadedFilesSizeMB": 51200, "DailyApiRequests": 15000, "DailyAsyncApexExecutions": 250000,
    "DailyAsyncApexTests": 540, "DailyBulkApiBatches": 15000, "DailyBulkV2QueryFileStorageMB": 976562,
    "DailyBulkV2QueryJobs": 10000, "DailyDeliveredPlatformEvents": 10000,
    "DailyDurableGenericStreamingApiEvents": 10000, "DailyDurableStreamingApiEvents": 10000,
    "DailyEinsteinDataInsightsStoryCreation": 1000, "DailyEinsteinDiscoveryOptimizationJobRuns": 25,
    "DailyEinsteinDiscoveryPredictAPICalls": 50000, "DailyEinsteinDiscoveryPredictionsByCDC": 500000,
    "DailyEinsteinDiscoveryStoryCreation": 100, "DailyFunctionsApiCallLimit": 50000,
    "DailyGenericStreamingApiEvents": 10000, "DailyScratchOrgs": 6, "DailyStandardVolumePlatformEvents": 10000,
    "DailyStreamingApiEvents": 10000, "DailyWorkflowEmails": 405, "DataStorageMB": 5,
    "DurableStreamingApiConcurrentClients": 20, "FileStorageMB": 20, "HourlyAsyncReportRuns": 1200,
    "HourlyDashboardRefreshes": 200, "HourlyDashboardResults": 5000, "HourlyDashboardStatuses": 999999999,
    "HourlyLongTermIdMapping": 100000, "HourlyManagedContentPublicRequests": 50000, "HourlyODataCallout": 1000,
    "HourlyPublishedPlatformEvents": 50000, "HourlyPublishedStandardVolumePlatformEvents": 1000,
    "HourlyShortTermIdMapping": 100000, "HourlySyncReportRuns": 500, "HourlyTimeBasedWorkflow": 50, "MassEmail": 10,
    "MonthlyEinsteinDiscoveryStoryCreation": 500, "Package2VersionCreates": 6,
    "Package2VersionCreatesWithoutValidation": 500, "PermissionSets": 1500,
    "PrivateConnectOutboundCalloutHourlyLimitMB": 0, "PublishCallbackUsageInApex": 5242880, "SingleEmail": 15,
    "StreamingApiConcurrentClients": 20,
}  # fmt: skip
# What came by 2026 (rest.md section 8: named in a reply of 60.0; the maxima are guessed).
NEWER: dict[str, int] = {
    "CdpAiInferenceApiMonthlyLimit": 500000000, "ContentDistBandwidthLimitMB": 51200, "ContentDistViewLimit": 20000,
    "ContentPublicationLimit": 5000, "DailyApexCursorLimit": 10000, "DailyApexCursorRowsLimit": 100000000,
    "DailyApexPCursorLimit": 200000, "DailyMetadataRetrievesWithDependencies": 30,
    "DailyServiceEmailAgentforceCalls": 0, "ExternalServicesActiveObjects": 300, "ExternalServicesActiveOperations": 300,
    "ExternalServicesObjectProperties": 50000, "ExternalServicesObjects": 5000, "ExternalServicesOperations": 5000,
    "ExternalServicesRegistrations": 150, "HourlyElevateAsyncReportRuns": 0, "HourlyElevateSyncReportRuns": 0,
    "MaxContentDocumentsLimit": 30000000, "PlatformEventTriggersWithParallelProcessing": 5,
    "ScheduledFlowRunLimit": 250000, "ScheduledPathRunLimit": 250000,
}  # fmt: skip
NEWER_FROM = 60.0
# Entries with a part of their own: name -> part -> maximum.
PARTS = {"PermissionSets": {"CreateCustom": 1000}}


class Limits:
    """The counters of one org."""

    def __init__(self, clock: Clock, daily_api_requests: int, hourly_published_events: int = 50_000) -> None:
        self._clock = clock
        self.maximum = daily_api_requests
        self._day = -1
        self._day_ends = 0
        self._calls = 0
        self._flushed = 0
        self._hour = -1
        self._seen = ""
        self._published = 0
        self._published_flushed = 0
        self.maximum_published = hourly_published_events
        self._turn_day()

    def load(self, reader: Reader) -> None:
        """Take up today's count where the last run left it."""
        row = reader.one(KEPT, (self._date(),))
        self._calls = self._flushed = row[0] if row is not None else 0
        self._turn_hour()
        row = reader.one(KEPT_HOUR, (self._hour,))
        self._published = self._published_flushed = row[0] if row is not None else 0

    def take_published(self, tx: Tx, count: int) -> bool:
        """Whether `count` more platform events may be published in this hour; counted if so, unless the unit is undone."""
        if tx.stamp is not self._seen:  # units of one second share the text of it
            self._seen = tx.stamp
            self._turn_hour()
        if self._published + count > self.maximum_published:
            return False
        self._published += count
        tx.on_rollback(partial(self._give_back, self._hour, count))
        return True

    def _give_back(self, hour: int, count: int) -> None:
        if hour == self._hour:
            self._published -= count

    def _turn_hour(self) -> None:
        hour = int(self._clock.epoch() // HOUR)
        if hour != self._hour:
            self._hour, self._published, self._published_flushed = hour, 0, 0

    def count_api_call(self) -> int:
        """One more API call; returns how many there were today."""
        if self._clock.epoch() >= self._day_ends:
            self._turn_day()
        self._calls += 1
        return self._calls

    def _turn_day(self) -> None:
        day = int(self._clock.epoch() // DAY)
        if day != self._day:
            self._day, self._calls, self._flushed = day, 0, 0
            self._day_ends = (day + 1) * DAY

    def _date(self) -> str:
        return self._clock.now().date().isoformat()

    @property
    def used(self) -> int:
        return self._calls

    def info(self) -> bytes:
        """The value of `Sforce-Limit-Info`."""
        return b"api-usage=%d/%d" % (self._calls, self.maximum)

    def flush(self, tx: Tx) -> None:
        """Keep the count; called with a commit that happens anyway, or each second."""
        if self._calls != self._flushed:
            calls = self._calls
            tx.run(KEEP, (self._date(), calls))
            tx.after_commit(lambda: self._keep(calls))
        if self._published != self._published_flushed:
            published = self._published
            tx.run(KEEP_HOUR, (self._hour, published))
            tx.after_commit(lambda: self._keep_published(published))

    @property
    def unflushed(self) -> bool:
        return self._calls != self._flushed or self._published != self._published_flushed

    def _keep_published(self, published: int) -> None:
        self._published_flushed = published

    def _keep(self, calls: int) -> None:
        self._flushed = calls

    def report(self, version: float, used: Mapping[str, int] | None = None) -> dict[str, dict[str, Any]]:
        """What `/limits` answers in an API version: maximum and remaining by name; `used` is what others have counted."""
        maxima = MAXIMA if version < NEWER_FROM else dict(sorted({**MAXIMA, **NEWER}.items()))
        found: dict[str, dict[str, Any]] = {name: _whole(maximum) for name, maximum in maxima.items()}
        for name, parts in PARTS.items():
            found[name] |= {part: _whole(maximum) for part, maximum in parts.items()}
        for name, count in (used or {}).items():
            found[name]["Remaining"] = max(0, found[name]["Max"] - count)
        found["DailyApiRequests"] = {"Max": self.maximum, "Remaining": max(0, self.maximum - self._calls)}
        self._turn_hour()
        found[PUBLISHED] = {
            "Max": self.maximum_published, "Remaining": max(0, self.maximum_published - self._published)
        }  # fmt: skip
        return found


def _whole(maximum: int) -> dict[str, int]:
    return {"Max": maximum, "Remaining": maximum}
