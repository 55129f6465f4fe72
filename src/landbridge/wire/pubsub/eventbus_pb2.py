"""The messages of `eventbus.proto`, in a descriptor pool of their own. Made by scripts/make_stubs.py; don't edit."""

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message_factory import GetMessageClass

_POOL = DescriptorPool()
_POOL.AddSerializedFile(
    b'\n\x0eeventbus.proto\x12\x0beventbus.v1"-\n\x0cTopicRequest\x12\x1d\n\ntopic_name\x18'
    b'\x01 \x01(\tR\ttopicName"\xc5\x01\n\tTopicInfo\x12\x1d\n\ntopic_name\x18\x01 \x01(\tR\ttopicNam'
    b'e\x12\x1f\n\x0btenant_guid\x18\x02 \x01(\tR\ntenantGuid\x12\x1f\n\x0bcan_publish\x18\x03 \x01(\x08R\ncan'
    b'Publish\x12#\n\rcan_subscribe\x18\x04 \x01(\x08R\x0ccanSubscribe\x12\x1b\n\tschema_id\x18\x05 '
    b'\x01(\tR\x08schemaId\x12\x15\n\x06rpc_id\x18\x06 \x01(\tR\x05rpcId",\n\rSchemaRequest\x12\x1b\n\tsch'
    b'ema_id\x18\x01 \x01(\tR\x08schemaId"a\n\nSchemaInfo\x12\x1f\n\x0bschema_json\x18\x01 \x01(\tR\ns'
    b'chemaJson\x12\x1b\n\tschema_id\x18\x02 \x01(\tR\x08schemaId\x12\x15\n\x06rpc_id\x18\x03 \x01(\tR\x05rpcI'
    b'd"5\n\x0bEventHeader\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12\x14\n\x05value\x18\x02 \x01(\x0cR\x05value"\x8a\x01\n'
    b'\rProducerEvent\x12\x0e\n\x02id\x18\x01 \x01(\tR\x02id\x12\x1b\n\tschema_id\x18\x02 \x01(\tR\x08schemaId\x12'
    b'\x18\n\x07payload\x18\x03 \x01(\x0cR\x07payload\x122\n\x07headers\x18\x04 \x03(\x0b2\x18.eventbus.v1.Eve'
    b'ntHeaderR\x07headers"^\n\rConsumerEvent\x120\n\x05event\x18\x01 \x01(\x0b2\x1a.eventbus'
    b'.v1.ProducerEventR\x05event\x12\x1b\n\treplay_id\x18\x02 \x01(\x0cR\x08replayId"E\n\x05Err'
    b'or\x12*\n\x04code\x18\x01 \x01(\x0e2\x16.eventbus.v1.ErrorCodeR\x04code\x12\x10\n\x03msg\x18\x02 \x01(\tR'
    b'\x03msg"\x7f\n\rPublishResult\x12\x1b\n\treplay_id\x18\x01 \x01(\x0cR\x08replayId\x12(\n\x05error\x18'
    b"\x02 \x01(\x0b2\x12.eventbus.v1.ErrorR\x05error\x12'\n\x0fcorrelation_key\x18\x03 \x01(\tR\x0ec"
    b'orrelationKey"\x86\x01\n\x0ePublishRequest\x12\x1d\n\ntopic_name\x18\x01 \x01(\tR\ttopicN'
    b'ame\x122\n\x06events\x18\x02 \x03(\x0b2\x1a.eventbus.v1.ProducerEventR\x06events\x12!\n\x0ca'
    b'uth_refresh\x18\x03 \x01(\tR\x0bauthRefresh"{\n\x0fPublishResponse\x124\n\x07results'
    b'\x18\x01 \x03(\x0b2\x1a.eventbus.v1.PublishResultR\x07results\x12\x1b\n\tschema_id\x18\x02 \x01'
    b'(\tR\x08schemaId\x12\x15\n\x06rpc_id\x18\x03 \x01(\tR\x05rpcId"\xd2\x01\n\x0cFetchRequest\x12\x1d\n\ntopi'
    b'c_name\x18\x01 \x01(\tR\ttopicName\x12>\n\rreplay_preset\x18\x02 \x01(\x0e2\x19.eventbus.v1'
    b'.ReplayPresetR\x0creplayPreset\x12\x1b\n\treplay_id\x18\x03 \x01(\x0cR\x08replayId\x12#\n\r'
    b'num_requested\x18\x04 \x01(\x05R\x0cnumRequested\x12!\n\x0cauth_refresh\x18\x05 \x01(\tR\x0baut'
    b'hRefresh"\xb8\x01\n\rFetchResponse\x122\n\x06events\x18\x01 \x03(\x0b2\x1a.eventbus.v1.Con'
    b'sumerEventR\x06events\x12(\n\x10latest_replay_id\x18\x02 \x01(\x0cR\x0elatestReplayId'
    b'\x12\x15\n\x06rpc_id\x18\x03 \x01(\tR\x05rpcId\x122\n\x15pending_num_requested\x18\x04 \x01(\x05R\x13pend'
    b'ingNumRequested"^\n\x13CommitReplayRequest\x12*\n\x11commit_request_id\x18'
    b'\x01 \x01(\tR\x0fcommitRequestId\x12\x1b\n\treplay_id\x18\x02 \x01(\x0cR\x08replayId"\xac\x01\n\x14Comm'
    b'itReplayResponse\x12*\n\x11commit_request_id\x18\x01 \x01(\tR\x0fcommitRequestId'
    b'\x12\x1b\n\treplay_id\x18\x02 \x01(\x0cR\x08replayId\x12(\n\x05error\x18\x03 \x01(\x0b2\x12.eventbus.v1.E'
    b'rrorR\x05error\x12!\n\x0cprocess_time\x18\x04 \x01(\x03R\x0bprocessTime"\x88\x02\n\x13ManagedFe'
    b"tchRequest\x12'\n\x0fsubscription_id\x18\x01 \x01(\tR\x0esubscriptionId\x12%\n\x0edevel"
    b'oper_name\x18\x02 \x01(\tR\rdeveloperName\x12#\n\rnum_requested\x18\x03 \x01(\x05R\x0cnumRe'
    b'quested\x12!\n\x0cauth_refresh\x18\x04 \x01(\tR\x0bauthRefresh\x12Y\n\x18commit_replay_'
    b'id_request\x18\x05 \x01(\x0b2 .eventbus.v1.CommitReplayRequestR\x15commitRe'
    b'playIdRequest"\x8b\x02\n\x14ManagedFetchResponse\x122\n\x06events\x18\x01 \x03(\x0b2\x1a.eve'
    b'ntbus.v1.ConsumerEventR\x06events\x12(\n\x10latest_replay_id\x18\x02 \x01(\x0cR\x0ela'
    b'testReplayId\x12\x15\n\x06rpc_id\x18\x03 \x01(\tR\x05rpcId\x122\n\x15pending_num_requested'
    b'\x18\x04 \x01(\x05R\x13pendingNumRequested\x12J\n\x0fcommit_response\x18\x05 \x01(\x0b2!.event'
    b'bus.v1.CommitReplayResponseR\x0ecommitResponse*1\n\tErrorCode\x12\x0b\n\x07'
    b'UNKNOWN\x10\x00\x12\x0b\n\x07PUBLISH\x10\x01\x12\n\n\x06COMMIT\x10\x02*4\n\x0cReplayPreset\x12\n\n\x06LATEST'
    b'\x10\x00\x12\x0c\n\x08EARLIEST\x10\x01\x12\n\n\x06CUSTOM\x10\x022\xc4\x03\n\x06PubSub\x12F\n\tSubscribe\x12\x19.event'
    b'bus.v1.FetchRequest\x1a\x1a.eventbus.v1.FetchResponse(\x010\x01\x12@\n\tGetSc'
    b'hema\x12\x1a.eventbus.v1.SchemaRequest\x1a\x17.eventbus.v1.SchemaInfo\x12=\n'
    b'\x08GetTopic\x12\x19.eventbus.v1.TopicRequest\x1a\x16.eventbus.v1.TopicInfo'
    b'\x12D\n\x07Publish\x12\x1b.eventbus.v1.PublishRequest\x1a\x1c.eventbus.v1.Publi'
    b'shResponse\x12N\n\rPublishStream\x12\x1b.eventbus.v1.PublishRequest\x1a\x1c.e'
    b'ventbus.v1.PublishResponse(\x010\x01\x12[\n\x10ManagedSubscribe\x12 .eventbu'
    b's.v1.ManagedFetchRequest\x1a!.eventbus.v1.ManagedFetchResponse('
    b'\x010\x01b\x06proto3'
)
DESCRIPTOR = _POOL.FindFileByName("eventbus.proto")
for _name, _message in DESCRIPTOR.message_types_by_name.items():
    globals()[_name] = GetMessageClass(_message)
for _name, _enum in DESCRIPTOR.enum_types_by_name.items():
    globals()[_name] = EnumTypeWrapper(_enum)
    globals().update((_value.name, _value.number) for _value in _enum.values)
