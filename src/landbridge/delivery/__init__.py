"""Deliveries: what became of each event for each subscription, in order per key, until it is done or a dead letter."""

from landbridge.delivery import deadletters, queue
from landbridge.delivery.causes import EventInvalid, GiveUp, RetryLater, fingerprint, outcome_of
from landbridge.delivery.engine import POINTS, Engine, Subscription, Work
from landbridge.delivery.model import Delivery, Draft, Failure, LeaseLost, Parked, Settled
from landbridge.delivery.objects import OBJECTS, PREFIX
from landbridge.delivery.policy import DeadLetter, Decision, Done, Kind, Outcome, Retry, RetryAt, Tries, decide
from landbridge.delivery.progress import Progress
from landbridge.delivery.queue import Queue, SqlQueue
from landbridge.delivery.reader import Reader, Reading

TABLES = (*queue.TABLES, *deadletters.TABLES)
CLAIMS, SUSPECTS = queue.CLAIMS, queue.SUSPECTS
"""What later releases add."""

__all__ = [
    "CLAIMS",
    "OBJECTS",
    "POINTS",
    "PREFIX",
    "SUSPECTS",
    "TABLES",
    "DeadLetter",
    "Decision",
    "Delivery",
    "Done",
    "Draft",
    "Engine",
    "EventInvalid",
    "Failure",
    "GiveUp",
    "Kind",
    "LeaseLost",
    "Outcome",
    "Parked",
    "Progress",
    "Queue",
    "Reader",
    "Reading",
    "Retry",
    "RetryAt",
    "RetryLater",
    "Settled",
    "SqlQueue",
    "Subscription",
    "Tries",
    "Work",
    "deadletters",
    "decide",
    "fingerprint",
    "outcome_of",
]
