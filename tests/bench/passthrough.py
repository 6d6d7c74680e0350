"""Faust at its barest, for comparison: an agent that sends each record on as it came. Run by ``tests.bench.kafka``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import faust


def main() -> None:
    """Pass on from one topic to another: ``SERVER SOURCE TARGET``."""
    server, source, target = sys.argv[1:]
    app = faust.App(
        "passthrough",
        broker=f"kafka://{server}",
        store="memory://",
        datadir=str(Path(tempfile.gettempdir()) / "rescue-monitor-faust"),
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        stream_buffer_maxsize=16_384,
        producer_linger=0.01,
        producer_max_batch_size=1 << 18,
        autodiscover=False,
    )
    app.producer.buffer.max_messages = 10_000
    records = app.topic(source, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    passed = app.topic(target, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def pass_on(stream: Any) -> None:
        async for key, value in stream.items():
            await passed.send(key=key, value=value)

    app.agent(records)(pass_on)
    faust.Worker(app, loglevel="ERROR", redirect_stdouts=False, quiet=True).execute_from_commandline()


if __name__ == "__main__":
    main()
