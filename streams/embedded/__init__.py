"""The stream in one process: a durable log in SQLite, and the processor that works on it."""
