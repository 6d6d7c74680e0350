"""Kafka as the transport: settings, the care of topics, publishing, reading."""
