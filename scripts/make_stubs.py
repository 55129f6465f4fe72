"""
Make the Python messages of the Pub/Sub API from `src/landbridge/wire/pubsub/eventbus.proto`.

    python scripts/make_stubs.py [folder]

protoc's own Python output is not used, for two reasons. It registers its messages in the process's one pool, where the stubs
that a client brings along collide with it: an org inside a test process would break the client under test. And it refuses
to run with a protobuf older than the protoc that made it. So the module holds the file's descriptor and a pool of its own;
protoc's type stub (`.pyi`) fits it.
"""

from __future__ import annotations

import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

ROOM = Path(__file__).parents[1] / "src" / "landbridge" / "wire" / "pubsub"
NAME = "eventbus"

MODULE = '''\
"""The messages of `eventbus.proto`, in a descriptor pool of their own. Made by scripts/make_stubs.py; don't edit."""

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message_factory import GetMessageClass

_POOL = DescriptorPool()
_POOL.AddSerializedFile(
    {lines}
)
DESCRIPTOR = _POOL.FindFileByName("{name}.proto")
for _name, _message in DESCRIPTOR.message_types_by_name.items():
    globals()[_name] = GetMessageClass(_message)
for _name, _enum in DESCRIPTOR.enum_types_by_name.items():
    globals()[_name] = EnumTypeWrapper(_enum)
    globals().update((_value.name, _value.number) for _value in _enum.values)
'''
WIDTH = 60


def make(into: Path) -> None:
    """Write `eventbus_pb2.py` and `.pyi`. Raises SystemExit when protoc finds the file wrong."""
    with tempfile.TemporaryDirectory() as place:
        found = Path(place) / "set"
        arguments = [f"-I{ROOM}", f"-I{files('grpc_tools') / '_proto'}", f"--descriptor_set_out={found}",
                     f"--pyi_out={into}", str(ROOM / f"{NAME}.proto")]  # fmt: skip
        if protoc.main(["protoc", *arguments]):
            raise SystemExit("protoc refused the file")
        (described,) = FileDescriptorSet.FromString(found.read_bytes()).file
    typed = into / f"{NAME}_pb2.pyi"
    typed.write_text(typed.read_text().replace("_Mapping]", "_Mapping[str, object]]"))  # mypy is strict about generics
    raw = described.SerializeToString(deterministic=True)
    lines = "\n    ".join(repr(raw[start : start + WIDTH]) for start in range(0, len(raw), WIDTH))
    (into / f"{NAME}_pb2.py").write_text(MODULE.format(lines=lines, name=NAME))


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOM)
