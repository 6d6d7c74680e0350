"""Carries: event logs, the ward of engines, replay, sources and sinks."""
