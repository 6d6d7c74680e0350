"""Faust's consumer, so changed that offsets are ours: it commits floors, and knows how long its membership lasts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP

from streams.kafka.reaching import Place, Reach

_NOTE_EVERY: Final = 0.25
"""Seconds after which it is known at the latest that there is nothing but marks of transactions."""


class MemberThread(AIOKafkaConsumerThread):
    """The thread that speaks to Kafka.

    Without tables, Faust deals out the partitions of each topic by themselves (round robin). The range assignor gives
    the same numbers of all topics to one worker, as long as they have equally many.
    """

    alive_at = 0.0
    """When the last sign of life began that was answered, by the clock of :func:`time.monotonic`."""

    def __post_init__(self) -> None:
        """Begin to take down how far has been read."""
        super().__post_init__()
        self.reach = Reach()

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer: Any = super()._create_worker_consumer(transport)
        consumer._partition_assignment_strategy = [RangePartitionAssignor]  # noqa: SLF001 - Faust has no setting for it
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - as above, but for one with more to it
        return consumer

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: Any,
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's own signature
        max_records: int | None = None,
    ) -> Any:
        """The next records; meanwhile it is taken down where marks of transactions have been passed over."""
        end = time.monotonic() + (timeout or 0.0)
        while True:
            left = max(0.0, end - time.monotonic())
            wait = min(left, _NOTE_EVERY)
            records = await super()._fetch_records(consumer, active_partitions, timeout=wait, max_records=max_records)
            self._note_reached(consumer, records)
            if records or not left:
                return records

    def _note_reached(self, consumer: Any, records: Mapping[TP, Any]) -> None:
        # The client's place and what it gave belong together: here nothing else of this thread comes between them.
        subscription: Any = consumer._subscription.subscription  # noqa: SLF001 - its own question for it waits
        if subscription is None or subscription.assignment is None:
            return
        for place in subscription.assignment.tps:
            state = subscription.assignment.state_value(place)
            if state is not None and state.has_valid_position:
                given = records.get(place)
                self.reach.note(place, state.position, given[-1].offset if given else None)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go back to what is committed, or to the beginning.

        The client stays where it is if nothing or 0 is committed, although what it fetched since has been dropped.
        """
        committed: Mapping[TP, int] = await super().seek_to_committed()
        if unset := [place for place, offset in committed.items() if not offset]:
            await self.seek_to_beginning(*unset)
        return committed

    async def on_start(self) -> None:
        """Take down each sign of life that is answered."""
        await super().on_start()
        coordinator: Any = self._ensure_consumer()._coordinator  # noqa: SLF001 - nothing public tells of heartbeats
        beat = coordinator._do_heartbeat  # noqa: SLF001 - as above

        async def noted_beat() -> bool:
            began = time.monotonic()
            answered: bool = await beat()
            if answered:
                self.alive_at = began
            return answered

        coordinator._do_heartbeat = noted_beat  # noqa: SLF001 - as above


class MemberConsumer(Consumer):
    """A member of the group.

    Faust commits what its agents have acknowledged, and forgets in a rebalance what it has not committed. Here only
    what :attr:`floors_of` gives is ever committed, however it comes that Faust commits.
    """

    floors_of: Callable[[], dict[TP, int]] = staticmethod(dict)

    def _new_consumer_thread(self) -> MemberThread:
        return MemberThread(self, loop=self.loop, beacon=self.beacon)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:  # noqa: ARG002 - Faust's own signature
        return iter(self.floors_of())

    def _filter_committable_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        # Faust's own accounts of what was acknowledged are of no use here, and would grow.
        for accounts in (self._acked, self._acked_index, self._gap):
            accounts.clear()
        floors = self.floors_of()
        return {
            place: offset
            for place in tps
            if (offset := floors.get(place)) is not None and self._should_commit(place, offset)
        }

    def end(self, place: TP) -> int | None:
        """The offset after the last record of a partition that can be read, if that is known already.

        What follows it, and is read past, is no event, and nothing waits for it.

        Raises:
            ShrunkError: if there has been less for some time than has been read.
        """
        thread: Any = self._thread
        try:
            stable: int | None = self._client().last_stable_offset(place)
        except AssertionError:  # what the client says of a partition that is not ours any more
            return None
        end: int | None = thread.reach.end(place, stable, time.monotonic())
        return end

    def held(self, place: TP) -> int:
        """How many records of a partition lie behind a transaction that has not ended, so that nobody can read them."""
        client = self._client()
        try:
            highwater, stable = client.highwater(place), client.last_stable_offset(place)
        except AssertionError:  # as above
            return 0
        return 0 if None in (highwater, stable) else max(0, highwater - stable)

    def membership_lasts(self, session_timeout: float) -> bool:
        """Whether nobody else can have been given our partitions, as far as can be told from here."""
        thread: Any = self._thread
        return bool(time.monotonic() - thread.alive_at < session_timeout)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Partitions have just been given to us."""
        thread: Any = self._thread
        thread.alive_at = time.monotonic()
        thread.reach.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def committed(self, places: Iterable[Place]) -> dict[Place, int | None]:
        """The offsets that are committed; None where there is none."""
        return dict(await self._thread.call_thread(self._ask_committed, list(places)))

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offsets up to which there is anything, asked for now."""
        return dict(await self._thread.call_thread(self._ask_ends, list(places)))

    async def commit_floors(self) -> bool:
        """Commit at once; returns whether that succeeded. If not, more is read again, and nothing else is wrong."""
        return bool(await self._thread.call_thread(self._commit_now, self.floors_of()))

    async def _ask_committed(self, places: Iterable[Place]) -> dict[Place, int | None]:
        consumer: Any = self._client()
        return {place: await consumer.committed(TopicPartition(*place)) for place in places}

    async def _ask_ends(self, places: Iterable[Place]) -> dict[Place, int]:
        ends: dict[Place, int] = await self._client().end_offsets([TopicPartition(*place) for place in places])
        return ends

    async def _commit_now(self, floors: Mapping[TP, int]) -> bool:
        offsets = {TopicPartition(*place): OffsetAndMetadata(offset, "") for place, offset in floors.items()}
        try:
            await self._client().commit(offsets)
        except KafkaError:
            return False
        return True

    def _client(self) -> Any:
        thread: Any = self._thread
        return thread._ensure_consumer()  # noqa: SLF001 - Faust hides the client


class MemberTransport(Transport):
    """Faust's transport with our consumer."""

    Consumer = MemberConsumer
