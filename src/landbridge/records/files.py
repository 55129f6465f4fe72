"""
Files: what a ContentVersion brings with it, and the sizes that Attachment and Document show.

The first version of a file makes its ContentDocument and the links to its owner and to where it was published; a later one takes
the place of the latest. Titles follow the file's name.

Source: Object Reference, ContentVersion, ContentDocument, ContentDocumentLink. PublishStatus `R` (personal library), the links'
share types and the names of file types beyond the reference's examples are guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from landbridge.access import Access
from landbridge.errors import FieldIntegrity, InvalidCrossReferenceKey, RequiredFieldMissing
from landbridge.ids import RecordId
from landbridge.schema.catalog import Catalog
from landbridge.storage import Tx

if TYPE_CHECKING:
    from landbridge.records.blobs import Blob
    from landbridge.records.shape import Shape

LATEST = """
    SELECT "Id", "VersionNumber" FROM "ContentVersion" WHERE "ContentDocumentId" = ? AND "IsLatest" = 1 AND "IsDeleted" = 0
"""
NOT_LATEST = """UPDATE "ContentVersion" SET "IsLatest" = 0 WHERE "ContentDocumentId" = ? AND "IsLatest" = 1"""
DOCUMENT = """SELECT "IsDeleted" FROM "ContentDocument" WHERE "Id" = ?"""
IS_LATEST = """SELECT "ContentDocumentId", "IsLatest" FROM "ContentVersion" WHERE "Id" = ?"""

_TYPES = {
    "txt": "TEXT", "csv": "CSV", "pdf": "PDF", "png": "PNG", "jpg": "JPG", "jpeg": "JPG", "gif": "GIF", "doc": "WORD",
    "docx": "WORD_X", "xls": "EXCEL", "xlsx": "EXCEL_X", "ppt": "POWER_POINT", "pptx": "POWER_POINT_X", "zip": "ZIP",
    "xml": "XML", "html": "HTML", "htm": "HTML", "json": "JSON", "mp4": "MP4", "mp3": "MP3", "rtf": "RTF", "svg": "SVG",
    "js": "JS", "css": "CSS", "log": "LOG", "eml": "EML",
}  # fmt: skip
_LENGTH_OF = {"VersionData": "ContentSize", "Body": "BodyLength"}
_SHARED = ("Title", "Description", "FileType", "FileExtension", "ContentSize", "SharingOption", "SharingPrivacy")
"""What a ContentDocument shows of its latest version."""


def lengths(shape: Shape, blobs: Mapping[str, Blob | None], row: dict[str, Any]) -> None:
    """Put the size (and the checksum) of each blob beside it. None: the field was cleared."""
    for field, blob in blobs.items():
        name = _LENGTH_OF.get(field)
        if name is not None and name in shape.fields:
            row[name] = 0 if blob is None else blob.size
        if "Checksum" in shape.fields:
            row["Checksum"] = None if blob is None else blob.checksum


def given(sobject: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a create of a file says without saying it: the title of a version, the developer name of a document."""
    named = {key.lower(): value for key, value in values.items()}
    if sobject == "ContentVersion":
        path = named.get("pathonclient")
        if not named.get("contenturl"):
            missing = [name for name in ("PathOnClient", "VersionData") if named.get(name.lower()) in (None, "")]
            if missing:
                raise RequiredFieldMissing(missing)
        if named.get("title") is None and isinstance(path, str):
            return {**values, "Title": split(path)[0]}
    elif sobject == "Document" and named.get("developername") is None and isinstance(named.get("name"), str):
        return {**values, "DeveloperName": developer_name(named["name"])}
    return values


def split(path: str) -> tuple[str, str | None]:
    """A file's name without its folders and its extension, and the extension."""
    name = re.split(r"[\\/]", path)[-1]
    stem, dot, extension = name.rpartition(".")
    return (stem, extension) if dot and stem else (name, None)


def developer_name(name: str) -> str:
    """A name as an API name: letters, digits and single underscores, a letter first."""
    cleaned = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", name)).strip("_")
    return (cleaned if cleaned[:1].isalpha() else f"X{cleaned}")[:80]


class Files:
    """The rows that come with a version. `insert` makes a row of an object with its stamps and defaults, unchecked."""

    def __init__(
        self,
        insert: Callable[[Tx, Catalog, Access, str, dict[str, Any]], RecordId],
        update: Callable[[Tx, Catalog, Access, str, RecordId, dict[str, Any]], None],
    ) -> None:
        self._insert = insert
        self._update = update

    def place(self, tx: Tx, catalog: Catalog, access: Access, row: dict[str, Any]) -> None:
        """Complete the row of a new version, and write what it stands in: document, links, the version before it."""
        _, extension = split(row.get("PathOnClient") or "")
        row["FileExtension"] = extension
        row["FileType"] = "LINK" if row.get("ContentUrl") else _TYPES.get((extension or "").lower(), "UNKNOWN")
        row["ContentModifiedDate"] = row.get("ContentModifiedDate") or tx.stamp
        row["ContentModifiedById"] = access.user_id
        row["PublishStatus"] = "R"
        row["IsLatest"] = 1
        document = row.get("ContentDocumentId")
        if document is None:
            row["VersionNumber"] = "1"
            row["ContentDocumentId"] = self._document(tx, catalog, access, row)
        else:
            row["VersionNumber"] = self._next(tx, document)
            if row.get("FirstPublishLocationId") is not None:
                raise FieldIntegrity(
                    "FirstPublishLocationId: only the first version of a file is published to a location",
                    fields=("FirstPublishLocationId",),
                )
            self._show(tx, catalog, access, document, row)

    def _document(self, tx: Tx, catalog: Catalog, access: Access, row: dict[str, Any]) -> RecordId:
        shown = {name: row.get(name) for name in _SHARED}
        document = self._insert(
            tx, catalog, access, "ContentDocument",
            {**shown, "OwnerId": row["OwnerId"], "PublishStatus": row["PublishStatus"],
             "LatestPublishedVersionId": row["Id"], "ContentModifiedDate": row["ContentModifiedDate"]},
        )  # fmt: skip
        self._link(tx, catalog, access, document, row["OwnerId"], "I")
        place = row.get("FirstPublishLocationId")
        if place is not None and place != row["OwnerId"]:
            self._link(tx, catalog, access, document, place, "V")
        return document

    def _link(self, tx: Tx, catalog: Catalog, access: Access, document: str, to: str, share: str) -> None:
        values = {"ContentDocumentId": document, "LinkedEntityId": to, "ShareType": share, "Visibility": "AllUsers"}
        self._insert(tx, catalog, access, "ContentDocumentLink", values)

    def _next(self, tx: Tx, document: str) -> str:
        found = tx.one(DOCUMENT, (document,))
        if found is None or found[0]:
            raise InvalidCrossReferenceKey
        latest = tx.one(LATEST, (document,))
        tx.run(NOT_LATEST, (document,))
        return "1" if latest is None else str(int(latest[1]) + 1)

    def _show(self, tx: Tx, catalog: Catalog, access: Access, document: str, row: dict[str, Any]) -> None:
        shown = {name: row[name] for name in _SHARED if name in row}
        shown |= {"LatestPublishedVersionId": row["Id"], "ContentModifiedDate": row["ContentModifiedDate"]}
        self._update(tx, catalog, access, "ContentDocument", RecordId(document), shown)

    def changed(self, tx: Tx, catalog: Catalog, access: Access, record_id: RecordId, row: dict[str, Any]) -> None:
        """After an update of a version: the document shows what its latest version says."""
        shown = {name: row[name] for name in _SHARED if name in row}
        found = tx.one(IS_LATEST, (record_id,))
        if shown and found is not None and found[1]:
            self._update(tx, catalog, access, "ContentDocument", RecordId(found[0]), shown)
