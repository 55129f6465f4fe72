"""
The Pub/Sub API: `eventbus.v1.PubSub` over gRPC.

`session` decides (pure), `frames` writes responses from bytes that all subscribers share, `service` answers, `listener` holds the
ports. Nothing here is imported before the org answers over HTTP: gRPC takes as long to load as the rest of us together.

Source: `events.md` sections 4 and 5; docs/reference/pubsub.md.
"""
