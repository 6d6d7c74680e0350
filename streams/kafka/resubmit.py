"""Sends dead letters again to the topics they came from, and notes in the topic of dead letters that it did."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kafka import KafkaProducer

from streams.deadletters import DeadLetter, NotADeadLetterError, OpenDeadLetters
from streams.kafka.connecting import BrokerError, connect, explained
from streams.kafka.reading import Record, TopicReader
from streams.kafka.settings import KafkaSettings
from streams.topics import INPUTS, LARGEST_RECORD, TopicName

_ACKNOWLEDGED_WITHIN_S: Final = 60.0


def open_dead_letters(settings: KafkaSettings) -> tuple[OpenDeadLetters, list[Record]]:
    """The dead letters that have not been sent again, and the records of their topic that are none.

    Raises:
        BrokerError: if they cannot be read.
    """
    letters, strange = OpenDeadLetters(), []
    with TopicReader(settings, TopicName.REJECTED) as reader:
        for record in reader.present():
            try:
                letters.take(record.key, record.value, record.headers)
            except NotADeadLetterError:
                strange.append(record)
    return letters, strange


def resubmit(settings: KafkaSettings, letters: Iterable[DeadLetter]) -> int:
    """Send dead letters again, one after the other, and return how many; the note follows when the brokers have it.

    Interrupted between the two, a letter is sent once more the next time: the rules know an event that they have seen.

    Raises:
        BrokerError: if one cannot be sent, or did not come from one of the inputs.
    """
    inputs = {settings.topic(name) for name in INPUTS}
    producer = connect(
        KafkaProducer,
        settings,
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        max_request_size=LARGEST_RECORD,
    )
    count = 0
    try:
        for letter in letters:
            if letter.topic not in inputs:
                raise BrokerError(f"{letter.source}: {letter.topic} is no input, so nothing is sent there")
            with explained():
                if letter.key is not None or letter.value is not None:
                    sent = producer.send(letter.topic, value=letter.value, key=letter.key)
                    sent.get(timeout=_ACKNOWLEDGED_WITHIN_S)
                rejected = settings.topic(TopicName.REJECTED)
                note = producer.send(rejected, key=letter.key or b"-", headers=letter.note_sent_again())
                note.get(timeout=_ACKNOWLEDGED_WITHIN_S)
            count += 1
    finally:
        producer.close()
    return count
