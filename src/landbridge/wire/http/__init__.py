"""The front door: HTTP/1.1 on an asyncio protocol, TLS and plain on one port, requests led to their routes."""
