"""The worker: a Faust app around a :class:`streams.kafka.keeper.Keeper`.

Faust is here for its membership of the group and its stream of records. It has no tables, serves no pages, commits
nothing but our floors, and an agent of it never raises: whatever is not expected ends the process at once, without a
commit, and what was not finished is done by whoever starts next.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import traceback
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import faust
from aiokafka.errors import KafkaError
from faust.types import TP

from rules.pack import Pack
from rules.settings import SiteSettings
from streams.intake import Record
from streams.kafka.admin import present_claim
from streams.kafka.claims import Claim
from streams.kafka.clients import KafkaJournal, KafkaOutbox, ssl_context
from streams.kafka.connecting import BrokerError
from streams.kafka.health import Health, HealthServer
from streams.kafka.keeper import Begin, InterruptedWorkError, Keeper, LeaseLostError, UndeliveredError
from streams.kafka.membership import MemberConsumer, MemberTransport
from streams.kafka.reaching import ShrunkError
from streams.kafka.settings import KafkaSettings
from streams.metrics import WorkerMetrics
from streams.processor import Processor
from streams.states import StateError
from streams.tidying import Tidier
from streams.topics import INPUTS, TopicName

CRASHED: Final = 70
"""Exit code after something unexpected: starting again is right."""

REFUSED: Final = 78
"""Exit code where state cannot be continued from: starting again does not help."""

_LOOK_AROUND_EVERY: Final = 0.5
_LOOK_AT_TOPICS_EVERY: Final = 30.0
_log: Final = logging.getLogger(__name__)


class Worker:
    """Everything of one worker process.

    Args:
        kafka: how to reach the cluster, and the worker's settings.
        packs: the pathways to judge.
        site: the site's settings.
        claim: what is worked on, as the topics are now.
        end: ends the process without another word.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        packs: Sequence[Pack],
        site: SiteSettings,
        claim: Claim,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._kafka, self._settings, self._end = kafka, kafka.worker, end
        self._claim = claim
        self._names = {kafka.topic(name): name for name in INPUTS}
        self.app = make_app(kafka)
        self.health = Health()
        self.metrics = WorkerMetrics(self.health.idle)
        self._server: HealthServer | None = None
        self._tidier = Tidier()
        self._outbox = KafkaOutbox(kafka)
        self._journal = KafkaJournal(kafka)
        self._group = Group(self.app, kafka)
        self._applied = False
        processor = Processor(
            packs,
            site,
            live_within=timedelta(seconds=kafka.worker.live_within),
            silence=timedelta(seconds=kafka.worker.silence),
        )
        self._keeper = Keeper(
            processor,
            kafka.worker,
            site.future_skew if kafka.worker.ahead is None else timedelta(seconds=kafka.worker.ahead),
            outbox=self._outbox,
            journal=self._journal,
            membership=self._group,
            floors=self._group.floors,
            metrics=self.metrics,
            prefix=kafka.prefix,
            claim=claim,
        )
        self._connect_app()

    def run(self) -> None:
        """Work until the process is told to end."""
        host, _, port = self._settings.listen.rpartition(":")
        self._server = HealthServer((host.strip("[]"), int(port)), self.health, self.metrics.registry)
        self._server.start()
        self._tidier.start()
        for chatty in ("aiokafka", "faust", "mode"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        faust.Worker(self.app, loglevel="INFO", redirect_stdouts=False, quiet=True).execute_from_commandline()

    def _connect_app(self) -> None:
        app, settings = self.app, self._settings
        inputs = app.topic(*self._names, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

        async def take(stream: Any) -> None:
            async for events in stream.take_events(settings.batch, within=settings.batch_within):
                await self._guard(self._take(events))

        async def look_around() -> None:
            await self._guard(self._look_around())

        async def look_at_topics() -> None:
            await self._guard(self._look_at_topics())

        async def assigned(*_: Any, **__: Any) -> None:
            await self._guard(self._take_over())

        async def revoked(*_: Any, **__: Any) -> None:
            self.health.ready = False
            await self._guard(self._keeper.hand_over())

        async def ending(*_: Any, **__: Any) -> None:
            self.health.ready = False
            await self._guard(self._finish())

        app.agent(inputs, name="intake")(take)
        app.timer(interval=_LOOK_AROUND_EVERY)(look_around)
        app.timer(interval=_LOOK_AT_TOPICS_EVERY)(look_at_topics)
        app.on_rebalance_complete.connect(assigned)
        app.on_partitions_revoked.connect(revoked)
        app.on_before_shutdown.connect(ending)

    async def _take(self, events: Sequence[Any]) -> None:
        generation = self.app.consumer_generation_id
        records = [self._record(event.message) for event in events if event.message.generation_id == generation]
        self._applied = True
        await self._keeper.take(records)

    def _record(self, message: Any) -> Record:
        arrived = datetime.now(UTC) if message.timestamp is None else datetime.fromtimestamp(message.timestamp, UTC)
        name = self._names[message.topic]
        return Record(name, message.partition, message.offset, message.key, message.value, arrived)

    async def _look_around(self) -> None:
        if not self.app.rebalancing:
            await self._keeper.look_around()
            self.metrics.held.set(self._group.held())
            self._say_whether_ready()
        self._tidier.tidy(idle=self._keeper.lag <= self._settings.batch)
        self.health.looked_around(self._keeper.lag, self._applied)
        self._applied = False

    async def _look_at_topics(self) -> None:
        """See that the topics are still those that are worked on."""
        try:
            found = await asyncio.to_thread(present_claim, self._kafka)
        except BrokerError as error:
            _log.warning("the topics cannot be looked at: %s", error)
        else:
            found.demand(self._claim)

    async def _take_over(self) -> None:
        partitions = self._group.assigned()
        await self._keeper.take_over(partitions)
        self._tidier.shake()
        self._say_whether_ready()
        _log.info("holds partitions %s", ", ".join(map(str, sorted(partitions))) or "none")

    def _say_whether_ready(self) -> None:
        self.health.ready = bool(self._keeper.partitions) and self._group.lasts()
        self.metrics.ready.set(self.health.ready)

    async def _finish(self) -> None:
        await self._keeper.hand_over()
        await self._outbox.stop()
        await self._journal.stop()
        if self._server is not None:
            self._server.stop()

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something to its end, although Faust may cancel whoever waits for it."""
        await asyncio.shield(asyncio.ensure_future(self._to_its_end(work)))

    async def _to_its_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something, and end the process if it fails: Faust would carry on without what was being done."""
        try:
            await work
        except StateError as error:
            _log.critical("the kept state cannot be continued from: %s", error)
            self._stop_at_once(REFUSED)
        except (KafkaError, LeaseLostError, InterruptedWorkError, UndeliveredError, ShrunkError) as error:
            _log.critical("%s: %s", type(error).__name__, error)
            self._stop_at_once(CRASHED)
        except Exception as error:  # noqa: BLE001 - nothing that is unexpected may be survived
            # Without its text, which may quote a message about a patient.
            places = "".join(traceback.format_tb(error.__traceback__))
            _log.critical("unexpected %s\n%s", type(error).__name__, places)
            self._stop_at_once(CRASHED)

    def _stop_at_once(self, code: int) -> None:
        logging.shutdown()
        self._end(code)


class Group:
    """The keeper's view of the group, through Faust."""

    def __init__(self, app: faust.App, kafka: KafkaSettings) -> None:
        self.floors: dict[tuple[TopicName, int], int] = {}
        self._app = app
        self._kafka = kafka

    @property
    def _consumer(self) -> MemberConsumer:
        return cast("MemberConsumer", self._app.consumer)

    def assigned(self) -> set[int]:
        """The partitions that have been given to us, of all inputs alike.

        Raises:
            StateError: if the inputs have been dealt out one by one.
        """
        by_topic: dict[str, set[int]] = {self._kafka.topic(name): set() for name in INPUTS}
        for topic, number in self._consumer.assignment():
            by_topic[topic].add(number)
        first, *others = by_topic.values()
        if any(other != first for other in others):
            raise StateError(f"the inputs are not partitioned alike: {by_topic}")
        self._consumer.floors_of = self._floors
        return first

    def lasts(self) -> bool:
        """Whether the partitions are certainly still ours."""
        return self._consumer.membership_lasts(self._kafka.worker.session_timeout)

    def ends(self, partition: int) -> Mapping[TopicName, int | None]:
        """Of each input the offset after its last record; None if that is not known yet."""
        return {name: self._consumer.end(TP(self._kafka.topic(name), partition)) for name in INPUTS}

    def held(self) -> int:
        """How many records lie behind transactions that have not ended."""
        return sum(self._consumer.held(place) for place in self._consumer.assignment())

    async def begins(self, partitions: Iterable[int]) -> Mapping[int, Mapping[TopicName, Begin]]:
        """Of each partition and input, where reading may begin."""
        places = {(number, name): TP(self._kafka.topic(name), number) for number in partitions for name in INPUTS}
        if not places:
            return {}
        first = await self._consumer.earliest_offsets(*places.values())
        committed = await self._consumer.committed(places.values())
        ends = await self._consumer.ends(places.values())
        return {
            number: {
                name: Begin(first[place], committed[place], ends[place])
                for (of, name), place in places.items()
                if of == number
            }
            for number in partitions
        }

    async def commit(self) -> None:
        """Commit the floors now; what fails is read again."""
        if not await self._consumer.commit_floors():
            _log.warning("the offsets could not be committed; some records will be read again")

    def _floors(self) -> dict[TP, int]:
        return {TP(self._kafka.topic(name), number): offset for (name, number), offset in self.floors.items()}


def make_app(kafka: KafkaSettings) -> faust.App:
    """The Faust app, without anything in it."""
    worker = kafka.worker
    app = faust.App(
        kafka.prefix + worker.group,
        broker=[f"kafka://{server}" for server in kafka.bootstrap_servers],
        broker_credentials=_credentials(kafka),
        broker_client_id="rescue-monitor",
        broker_session_timeout=worker.session_timeout,
        broker_heartbeat_interval=worker.heartbeat,
        broker_request_timeout=worker.request_timeout,
        broker_commit_interval=worker.commit_interval,
        broker_commit_every=1 << 40,
        consumer_auto_offset_reset="earliest",
        stream_buffer_maxsize=worker.buffer,
        stream_wait_empty=True,
        store="memory://",
        datadir=str(Path(tempfile.gettempdir()) / "rescue-monitor-faust"),
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        web_tables_enabled=False,
        web_router_enabled=False,
        web_bind="127.0.0.1",
        autodiscover=False,
    )
    app.transport = MemberTransport(app.conf.broker_consumer, app)
    return app


def _credentials(kafka: KafkaSettings) -> faust.SASLCredentials | faust.SSLCredentials | None:
    context = ssl_context(kafka) if kafka.security_protocol.endswith("SSL") else None
    if kafka.security_protocol.startswith("SASL") and kafka.sasl_password is not None:
        return faust.SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.sasl_password.get_secret_value(),
            mechanism=kafka.sasl_mechanism,
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)
