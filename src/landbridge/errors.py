"""
Every error that Salesforce names, one class per code; `wire/` only formats them.

`SalesforceError` is the caller's fault and is shown to the caller. Whatever else is raised is ours: it is logged once
at the edge and answered as UNKNOWN_EXCEPTION without its text. Templates and statuses: `rest.md` section 9,
`soql.md` section 5; which of them were seen in recordings is in `docs/fidelity.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class LandbridgeError(Exception):
    """Something outside a request went wrong and a person can mend it: the text says what to do next."""


class SalesforceError(Exception):
    """
    An error as Salesforce words it.

    `fields` None leaves the key out of the body (queries, paths); a sequence, even an empty one, puts it in (DML).
    """

    code: ClassVar[str]
    status: ClassVar[int] = 400
    code_first: ClassVar[bool] = False
    """Key order of the body as recorded: NOT_FOUND puts errorCode before message, all others after it."""

    def __init__(self, message: str, fields: Sequence[str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = None if fields is None else tuple(fields)

    def body(self) -> dict[str, Any]:
        """One element of the JSON array that REST answers."""
        if self.code_first:
            body: dict[str, Any] = {"errorCode": self.code, "message": self.message}
        else:
            body = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            body["fields"] = list(self.fields)
        return body


# --- sessions and rights -----------------------------------------------------------------------------------------


class InvalidSessionId(SalesforceError):
    """No session, an ended one, or a header that is none: one answer for all, so that nobody learns which."""

    code, status = "INVALID_SESSION_ID", 401

    def __init__(self, message: str = "Session expired or invalid") -> None:
        super().__init__(message)


class RequestLimitExceeded(SalesforceError):
    code, status = "REQUEST_LIMIT_EXCEEDED", 403

    def __init__(self) -> None:
        super().__init__("TotalRequests Limit exceeded.")


class InsufficientAccess(SalesforceError):
    """The user may not do this to the object at all, e.g. any write of a read-only user."""

    code, status = "INSUFFICIENT_ACCESS_OR_READONLY", 403

    def __init__(self, message: str = "insufficient access rights on object id") -> None:
        super().__init__(message, fields=())


# --- the request itself ------------------------------------------------------------------------------------------


class NotFound(SalesforceError):
    code, status, code_first = "NOT_FOUND", 404, True

    def __init__(self, message: str = "The requested resource does not exist") -> None:
        super().__init__(message)


class ExternalIdNotFound(NotFound):
    """An external-id field that does not exist, is none, or a value that no record has."""

    code_first = False

    def __init__(self, name: str) -> None:
        super().__init__(f"Provided external ID field does not exist or is not accessible: {name}")


class MethodNotAllowed(SalesforceError):
    code, status = "METHOD_NOT_ALLOWED", 405

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        self.allowed = tuple(sorted(allowed))
        super().__init__(f"HTTP Method '{method}' not allowed. Allowed are {','.join(self.allowed)}")


class PreconditionFailed(SalesforceError):
    """If-Match, If-None-Match or If-Unmodified-Since that the record does not meet; code of the WSDL's list, text guessed."""

    code, status = "MATCH_PRECONDITION_FAILED", 412

    def __init__(self) -> None:
        super().__init__("The record does not meet the conditions of the request headers.")


class InvalidReplicationDate(SalesforceError):
    """A span of getUpdated or getDeleted that can't be answered."""

    code = "INVALID_REPLICATION_DATE"


class InvalidNewPassword(SalesforceError):
    code = "INVALID_NEW_PASSWORD"


class MalformedSearch(SalesforceError):
    code = "MALFORMED_SEARCH"


class UnsupportedMediaType(SalesforceError):
    code, status = "UNSUPPORTED_MEDIA_TYPE", 415

    def __init__(self, content_type: str) -> None:
        super().__init__(f"Content-Type '{content_type[:100]}' is not supported. Use application/json.")


class JsonParserError(SalesforceError):
    code = "JSON_PARSER_ERROR"


class InvalidMultipart(SalesforceError):
    """A multipart body that is damaged, or not made of one JSON part and parts named after blob fields; texts guessed."""

    code = "INVALID_MULTIPART_REQUEST"


class UriTooLong(SalesforceError):
    code, status = "URI_TOO_LONG", 414

    def __init__(self) -> None:
        super().__init__("The URI is longer than 16,384 bytes. Send long queries in a composite request.")


class HeadersTooLarge(SalesforceError):
    code, status = "REQUEST_HEADER_FIELDS_TOO_LARGE", 431

    def __init__(self) -> None:
        super().__init__("The URI and the headers together are longer than 16,384 bytes.")


class BodyTooLarge(SalesforceError):
    code, status = "REQUEST_ENTITY_TOO_LARGE", 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body is larger than {limit} bytes (setting max_body).")


class BadRequest(SalesforceError):
    """Not HTTP, or not within the protocol's rules."""

    code = "BAD_REQUEST"


class Unsupported(SalesforceError):
    """Valid on the platform, not done by Landbridge: says so aloud, with the place."""

    code, status = "FUNCTIONALITY_NOT_ENABLED", 501

    def __init__(self, what: str) -> None:
        super().__init__(f"Landbridge does not support this yet: {what}")


class ServerUnavailable(SalesforceError):
    code, status = "SERVER_UNAVAILABLE", 503


class UnknownException(SalesforceError):
    """Our own fault; the text of the cause stays in the log under `error_id`."""

    code, status = "UNKNOWN_EXCEPTION", 500

    def __init__(self, error_id: str) -> None:
        super().__init__(
            "An unexpected error occurred. Please include this ErrorId if you contact support: " + error_id,
        )


class StorageFailed(SalesforceError):
    """The database could not take the write: disk full, I/O error. Nothing of the unit was kept."""

    code, status = "STORAGE_LIMIT_EXCEEDED", 500

    def __init__(self, reason: str) -> None:
        super().__init__(f"storage limit exceeded: {reason}", fields=())


# --- records -----------------------------------------------------------------------------------------------------


class NoSuchColumn(SalesforceError):
    code = "INVALID_FIELD"

    def __init__(self, field: str, sobject: str) -> None:
        super().__init__(f"No such column '{field}' on sobject of type {sobject}")


class InvalidFieldForInsertUpdate(SalesforceError):
    code = "INVALID_FIELD_FOR_INSERT_UPDATE"

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__(
            f"Unable to create/update fields: {', '.join(fields)}. Please check the security settings of this field "
            "and verify that it is read/write for your profile or permission set.",
            fields=fields,
        )


class RequiredFieldMissing(SalesforceError):
    code = "REQUIRED_FIELD_MISSING"

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__(f"Required fields are missing: [{', '.join(fields)}]", fields=fields)


class DuplicateValue(SalesforceError):
    code = "DUPLICATE_VALUE"

    def __init__(self, field: str, other_id: str | None) -> None:
        other = "<unknown>" if other_id is None else other_id[:15]
        super().__init__(
            f"duplicate value found: {field} duplicates value on record with id: {other}",
            fields=(),
        )

    @classmethod
    def in_list(cls, value: str) -> DuplicateValue:
        """The same external id twice in one upsert."""
        error = cls("", None)
        error.message = f"Duplicate external id specified: {value[:255]}"
        error.args = (error.message,)
        return error


class DuplicateAssignment(SalesforceError):
    """The same permission set for the same user once more; two blanks, as recorded."""

    code = "DUPLICATE_VALUE"

    def __init__(self, assignee: str | None, permission_set: str | None) -> None:
        one, other = (assignee or "")[:15], (permission_set or "")[:15]
        super().__init__(
            f"Duplicate PermissionSetAssignment.  Assignee: {one}; Permission Set: {other}",
            fields=("AssigneeId", "PermissionSetId"),
        )


class StringTooLong(SalesforceError):
    code = "STRING_TOO_LONG"

    def __init__(self, label: str, value: str, length: int, field: str) -> None:
        super().__init__(f"{label}: data value too large: {value[:255]} (max length={length})", fields=(field,))


class BadPicklistValue(SalesforceError):
    code = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"

    def __init__(self, label: str, value: str, field: str) -> None:
        super().__init__(f"{label}: bad value for restricted picklist field: {value[:255]}", fields=(field,))


class InvalidEmailAddress(SalesforceError):
    code = "INVALID_EMAIL_ADDRESS"

    def __init__(self, label: str, value: str, field: str) -> None:
        super().__init__(f"{label}: invalid email address: {value[:255]}", fields=(field,))


class NumberOutsideValidRange(SalesforceError):
    code = "NUMBER_OUTSIDE_VALID_RANGE"


class MalformedId(SalesforceError):
    code = "MALFORMED_ID"

    def __init__(self, label: str, value: str, field: str) -> None:
        super().__init__(f"{label}: id value of incorrect type: {value[:255]}", fields=(field,))

    @classmethod
    def plain(cls, value: str) -> MalformedId:
        """An id in a list of ids, where there is no field to name."""
        error = cls("", value, "")
        error.message, error.fields = f"malformed id {value[:255]}", ()
        error.args = (error.message,)
        return error


class FieldIntegrity(SalesforceError):
    code = "FIELD_INTEGRITY_EXCEPTION"


class InvalidCrossReferenceKey(SalesforceError):
    """The id in a body points to nothing (400), or the id in the path does (404: `InvalidCrossReferenceInPath`)."""

    code = "INVALID_CROSS_REFERENCE_KEY"

    def __init__(self, message: str = "invalid cross reference id", fields: Sequence[str] = ()) -> None:
        super().__init__(message, fields=fields)


class InvalidCrossReferenceInPath(InvalidCrossReferenceKey):
    status = 404


class EntityIsDeleted(SalesforceError):
    code, status = "ENTITY_IS_DELETED", 404

    def __init__(self) -> None:
        super().__init__("entity is deleted", fields=())


class AllOrNoneRolledBack(SalesforceError):
    code = "ALL_OR_NONE_OPERATION_ROLLED_BACK"

    def __init__(self) -> None:
        super().__init__(
            "Record rolled back because not all records were valid and the request was using AllOrNone header",
            fields=(),
        )


class UndeleteFailed(SalesforceError):
    code = "UNDELETE_FAILED"


class DeleteFailed(SalesforceError):
    code = "DELETE_FAILED"


class CannotInsertUpdate(SalesforceError):
    """The object takes no write of this kind, e.g. a create on a read-only view."""

    code = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"


class InvalidTypeForOperation(SalesforceError):
    code = "INVALID_TYPE_FOR_OPERATION"


class CannotUpdateConvertedLead(SalesforceError):
    code = "CANNOT_UPDATE_CONVERTED_LEAD"

    def __init__(self) -> None:
        super().__init__("cannot reference converted lead", fields=())


class MissingArgument(SalesforceError):
    code = "MISSING_ARGUMENT"


class DuplicateExternalId(SalesforceError):
    """An upsert whose external id several records have, where no choice of them can be answered."""

    code = "DUPLICATE_EXTERNAL_ID"

    def __init__(self, field: str, found: Sequence[str]) -> None:
        super().__init__(
            f"{field}: more than one record found for external id field: [{', '.join(found)}]", fields=(field,)
        )


# --- several things in one request -------------------------------------------------------------------------------


class InvalidInput(SalesforceError):
    """A composite request that can't be run as a whole: what is wrong with it."""

    code = "INVALID_INPUT"


class TooManyInRequest(SalesforceError):
    """More in one request than it may hold."""

    code = "LIMIT_EXCEEDED"


class TooManyRecords(SalesforceError):
    code = "EXCEEDED_ID_LIMIT"

    def __init__(self, most: int) -> None:
        super().__init__(f"record limit reached. cannot submit more than {most} records into this call")


class NoRecords(SalesforceError):
    """A list of records without any; same code as a missing field, but no fields to name."""

    code = "REQUIRED_FIELD_MISSING"

    def __init__(self) -> None:
        super().__init__("At least 1 record is required")


class ProcessingHalted(SalesforceError):
    """A subrequest that was not run, or whose effect was undone, because of another one."""

    code, code_first = "PROCESSING_HALTED", True

    def __init__(
        self, message: str = "The transaction was rolled back since another operation in the same transaction failed."
    ) -> None:
        super().__init__(message)


class BatchProcessingHalted(SalesforceError):
    code, status, code_first = "BATCH_PROCESSING_HALTED", 412, True

    def __init__(self) -> None:
        super().__init__("The batch was halted since an earlier subrequest failed.")


# --- events ------------------------------------------------------------------------------------------------------


class LimitExceeded(SalesforceError):
    """An allocation is used up: nothing was queued."""

    code = "LIMIT_EXCEEDED"

    def __init__(self, what: str) -> None:
        super().__init__(f"The limit of {what} has been exceeded.", fields=())


class InvalidEventInput(SalesforceError):
    """An event that can't be published: too large, or its payload is not what its schema says."""

    code = "INVALID_EVENT_INPUT"

    def __init__(self, message: str) -> None:
        super().__init__(message, fields=())


# --- queries -----------------------------------------------------------------------------------------------------


class QueryError(SalesforceError):
    """An error of a query; `at` is the 0-based place in its text, from which `soql/` makes the preamble."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message)
        self.at = at


class MalformedQuery(QueryError):
    code = "MALFORMED_QUERY"


class InvalidType(QueryError):
    code = "INVALID_TYPE"

    def __init__(self, name: str, at: int | None = None) -> None:
        super().__init__(
            f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append "
            "the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
            at,
        )

    @classmethod
    def relationship(cls, name: str, at: int | None) -> InvalidType:
        """A child relationship that is not there; its code is disputed (soql.md section 5)."""
        error = cls(name, at)
        error.message = (
            f"Didn't understand relationship '{name}' in FROM part of query call. If you are attempting to use a custom "
            "relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the "
            "describe call for the appropriate names."
        )
        error.args = (error.message,)
        return error


class InvalidField(QueryError):
    code = "INVALID_FIELD"


class InvalidQueryFilterOperator(QueryError):
    code = "INVALID_QUERY_FILTER_OPERATOR"


class InvalidQueryScope(QueryError):
    code = "INVALID_QUERY_SCOPE"

    def __init__(self, scope: str, sobject: str, at: int | None = None) -> None:
        super().__init__(f"scope '{scope}' is not supported for {sobject}", at)


class TooManySemiJoins(QueryError):
    code = "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS"


class TooManyGroups(QueryError):
    """An aggregate result of more than one page; its code is unverified (soql.md section 5)."""

    code = "EXCEEDED_ID_LIMIT"

    def __init__(self) -> None:
        super().__init__(
            "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch"
        )


class QueryTooComplicated(QueryError):
    code = "QUERY_TOO_COMPLICATED"

    def __init__(self) -> None:
        super().__init__("the query is too complicated: use fewer fields, conditions or relationships")


class OffsetOutsideValidRange(QueryError):
    code = "NUMBER_OUTSIDE_VALID_RANGE"


class InvalidQueryLocator(QueryError):
    code = "INVALID_QUERY_LOCATOR"

    def __init__(self) -> None:
        super().__init__("invalid query locator")


class QueryUnsupported(QueryError):
    """Valid SOQL that we do not compile yet."""

    code, status = "FUNCTIONALITY_NOT_ENABLED", 501

    def __init__(self, what: str, at: int | None = None) -> None:
        super().__init__(f"Landbridge does not support this in SOQL yet: {what}", at)


# --- logins ------------------------------------------------------------------------------------------------------


class OAuthError(Exception):
    """`{"error", "error_description"}` of the OAuth endpoints; `auth.md` section 4."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


class LoginFault(Exception):
    """A SOAP fault of `/services/Soap`; `exception_code` stands with and without the `sf:` prefix in the envelope."""

    def __init__(self, exception_code: str, message: str) -> None:
        super().__init__(message)
        self.exception_code = exception_code
        self.message = message
