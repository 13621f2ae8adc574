"""Transports: GraphQL over HTTP, WebSocket and server-sent events."""
