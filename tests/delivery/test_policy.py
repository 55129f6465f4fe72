"""The retry policy as a table, and what holds for every outcome."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.delivery import DeadLetter, Done, Kind, Outcome, Retry, RetryAt, Tries, decide, fingerprint, outcome_of
from landbridge.delivery.policy import PROVEN_AFTER, SUSPECTED_AFTER, Told, told_by
from landbridge.errors import DuplicateValue, InvalidSessionId, RequestLimitExceeded

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
RETRY = Retry(attempts=5, first=1.0, longest=60.0, age=3600.0)


def tries(failures: int = 0, interrupted: int = 0, age: float = 0.0, alone: int = 0) -> Tries:
    return Tries(NOW - timedelta(seconds=age), failures, interrupted, alone)


def wait(outcome: Outcome, *, failures: int = 0, jitter: float = 1.0, retry: Retry = RETRY, age: float = 0.0) -> float:
    """Seconds until the next try; -1 for a dead letter."""
    decision = decide(tries(failures, age=age), outcome, retry, NOW, jitter)
    return (decision.at - NOW).total_seconds() if isinstance(decision, RetryAt) else -1.0


def status(code: int, retry_after: float | None = None) -> Outcome:
    return Outcome(Kind.STATUS, status=code, retry_after=retry_after)


def salesforce(code: str, status: int = 400) -> Outcome:
    return Outcome(Kind.SALESFORCE, code, status)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(Kind.TIMEOUT), 1.0),
        (Outcome(Kind.CONNECTION), 1.0),
        (Outcome(Kind.ERROR, "KeyError"), 1.0),
        (status(408), 1.0),
        (status(425), 1.0),
        (status(429), 1.0),
        (status(429, 30.0), 31.0),
        (status(503, 7.0), 8.0),
        (status(500), 1.0),
        (status(502), 1.0),
        (status(504), 1.0),
        (status(400), -1),
        (status(401), -1),
        (status(404), -1),
        (status(409), -1),
        (status(422), -1),
        (salesforce("UNABLE_TO_LOCK_ROW"), 0.25),
        (salesforce("REQUEST_LIMIT_EXCEEDED", 403), 60.0),
        (salesforce("INVALID_SESSION_ID", 401), 0.0),
        (salesforce("SERVER_UNAVAILABLE", 503), 1.0),
        (salesforce("SOMETHING_NEW", 500), 1.0),
        (salesforce("FIELD_CUSTOM_VALIDATION_EXCEPTION"), -1),
        (salesforce("REQUIRED_FIELD_MISSING"), -1),
        (salesforce("DUPLICATE_VALUE"), -1),
        (Outcome(Kind.NOT_SENT, retry_after=5.0), 6.0),
        (Outcome(Kind.RETRY_LATER, retry_after=90.0), 90.0),
        (Outcome(Kind.GIVE_UP, reason="no"), -1),
        (Outcome(Kind.INVALID), -1),
    ],
    ids=lambda value: f"{value.kind}-{value.code}{value.status or ''}" if isinstance(value, Outcome) else str(value),
)
def test_how_soon_is_decided_by_the_kind(outcome: Outcome, expected: float) -> None:
    assert wait(outcome) == pytest.approx(expected)


def test_done_is_done() -> None:
    assert decide(tries(), Outcome(Kind.DONE), RETRY, NOW, 0.5) == Done()


def test_waits_double_up_to_the_longest_and_are_drawn_from_zero() -> None:
    many = Retry(attempts=100, first=1.0, longest=60.0, age=10**6)

    assert [wait(Outcome(Kind.TIMEOUT), failures=n, retry=many) for n in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert wait(Outcome(Kind.TIMEOUT), failures=5, jitter=0.0, retry=many) == 0.0
    assert wait(Outcome(Kind.TIMEOUT), failures=90, retry=many) == 60.0


def test_a_spent_limit_is_never_asked_again_at_once() -> None:
    assert wait(salesforce("REQUEST_LIMIT_EXCEEDED"), jitter=0.0) == 30.0


def test_a_session_that_stays_invalid_is_an_ordinary_failure_after_the_new_login() -> None:
    first = decide(tries(), salesforce("INVALID_SESSION_ID"), RETRY, NOW, 1.0)

    assert first == RetryAt(NOW, counted=True, new_login=True)
    assert wait(salesforce("INVALID_SESSION_ID"), failures=1) == 2.0


def test_the_first_try_counts() -> None:
    assert isinstance(decide(tries(3), Outcome(Kind.TIMEOUT), RETRY, NOW, 0.0), RetryAt)
    assert isinstance(decide(tries(4), Outcome(Kind.TIMEOUT), RETRY, NOW, 0.0), DeadLetter)
    assert isinstance(decide(tries(), Outcome(Kind.TIMEOUT), Retry(attempts=1), NOW, 0.0), DeadLetter)


def test_what_was_never_sent_does_not_count_but_ages() -> None:
    held_back = Outcome(Kind.NOT_SENT, retry_after=1.0)

    found = decide(tries(4), held_back, RETRY, NOW, 0.0)
    assert isinstance(found, RetryAt)
    assert not found.counted
    assert isinstance(decide(tries(age=3600.0), held_back, RETRY, NOW, 0.0), DeadLetter)


def test_a_wait_beyond_the_most_age_gives_up_now_instead_of_then() -> None:
    assert wait(status(429, 600.0), age=3500.0) == -1
    assert wait(status(429, 50.0), age=3500.0) > 0


@given(st.integers(1, 10_000), st.integers(0, PROVEN_AFTER + 2))
def test_an_interrupted_attempt_is_repeated_at_once_until_it_is_proven_that_it_ends_the_process(
    times: int, alone: int
) -> None:
    decision = decide(tries(interrupted=times, alone=alone), Outcome(Kind.INTERRUPTED), RETRY, NOW, 1.0)

    if alone < PROVEN_AFTER:
        assert decision == RetryAt(NOW, counted=False), "what was in flight beside others is never given up for it"
    else:
        assert isinstance(decision, DeadLetter)
        assert f"{alone} times with nothing else under way" in decision.why


@given(st.lists(st.integers(0, 20), max_size=5))
def test_only_a_suspect_that_ran_alone_is_told_on(in_flight: list[int]) -> None:
    told = told_by(in_flight)

    assert (told is Told.SUSPECT) == (len(in_flight) == 1 and in_flight[0] >= SUSPECTED_AFTER)
    assert (told is Told.NOTHING) == (not in_flight)


@pytest.mark.parametrize("bad", [{"attempts": 0}, {"first": -1.0}, {"longest": -0.1}, {"age": 0.0}])
def test_numbers_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Retry"):
        Retry(**bad)  # type: ignore[arg-type]


outcomes = st.builds(
    Outcome,
    st.sampled_from([kind for kind in Kind if kind is not Kind.DONE]),
    code=st.sampled_from(["", "UNABLE_TO_LOCK_ROW", "REQUEST_LIMIT_EXCEEDED", "INVALID_SESSION_ID", "DUPLICATE_VALUE"]),
    status=st.integers(0, 599),
    retry_after=st.none() | st.floats(0, 10_000),
)
retries = st.builds(
    Retry, attempts=st.integers(1, 50), first=st.floats(0, 100), longest=st.floats(0, 1000), age=st.floats(1, 10**6)
)


@given(outcomes, retries, st.integers(0, 60), st.floats(0, 10**6), st.floats(0, 1, exclude_max=True))
def test_whatever_happens_it_ends(outcome: Outcome, retry: Retry, failures: int, age: float, jitter: float) -> None:
    decision = decide(tries(failures, age=age), outcome, retry, NOW, jitter)

    if isinstance(decision, RetryAt):
        assert decision.at >= NOW
        if decision.counted:
            assert failures + 1 < retry.attempts
        if outcome.kind is not Kind.INTERRUPTED:
            assert age + (decision.at - NOW).total_seconds() <= retry.age + 1e-3
        if outcome.retry_after is not None and outcome.kind in (Kind.STATUS, Kind.NOT_SENT):
            assert (decision.at - NOW).total_seconds() >= outcome.retry_after - 1e-3
    else:
        assert isinstance(decision, DeadLetter)
        assert decision.why


@given(outcomes, retries, st.integers(0, 60), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_more_jitter_never_means_an_earlier_try(
    outcome: Outcome, retry: Retry, failures: int, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    first, second = (decide(tries(failures), outcome, retry, NOW, jitter) for jitter in (low, high))

    if isinstance(first, RetryAt) and isinstance(second, RetryAt):
        assert first.at <= second.at


def test_errors_say_their_kind() -> None:
    assert outcome_of(RequestLimitExceeded()).code == "REQUEST_LIMIT_EXCEEDED"
    assert outcome_of(InvalidSessionId()).status == 401
    assert outcome_of(TimeoutError()).kind is Kind.TIMEOUT
    assert outcome_of(ConnectionResetError("gone")).kind is Kind.CONNECTION
    assert outcome_of(KeyError("Name")).kind is Kind.ERROR


def _fails(value: object) -> Outcome:
    try:
        raise ValueError(f"order {value} has no line")
    except ValueError as error:
        return outcome_of(error)


def test_one_problem_has_one_fingerprint_whatever_record_it_met() -> None:
    assert fingerprint(_fails(17)) == fingerprint(_fails("a00Lb0000000012IAA"))
    assert fingerprint(_fails(17)) != fingerprint(outcome_of(KeyError("Name")))
    assert fingerprint(outcome_of(DuplicateValue("Ref__c", "001Lb0000000001"))) == fingerprint(
        outcome_of(DuplicateValue("Ref__c", "001Lb0000000002"))
    )


def test_a_traceback_begins_with_the_authors_line() -> None:
    assert _fails(1).detail.count("File") == 1
    assert "raise ValueError" in _fails(1).detail
