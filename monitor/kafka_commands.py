"""The commands at the far end of Kafka: read ``alerts``, look after what was ``rejected``."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from monitor.kafka_options import EXIT_CODES, with_kafka
from monitor.options import BAD_LINES, OK
from monitor.topics_commands import topics
from monitor.worker_command import worker

if TYPE_CHECKING:
    from rules.outputs import AlertChange
    from streams.deadletters import DeadLetter
    from streams.kafka.reading import Record
    from streams.kafka.settings import KafkaSettings

_FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "jsonl"]),
    default="text",
    show_default=True,
    help="Text for people, or one JSON object per line and nothing else.",
)


def add_to(group: click.Group) -> None:
    """Add all commands that speak to Kafka to the command line."""
    for command in (topics, worker, alerts, rejected):
        group.add_command(command)


@click.command(epilog=EXIT_CODES)
@click.option("--follow", is_flag=True, help="Go on with the changes as they come, until Ctrl-C.")
@_FORMAT
@with_kafka
def alerts(kafka: KafkaSettings, follow: bool, form: str) -> int:
    """Show the alerts in Kafka: of each its present state, then with --follow each change."""
    from monitor.playback import LineOutput, TextOutput
    from monitor.terminal import open_console
    from streams.kafka.present import PresentAlerts
    from streams.kafka.reading import TopicReader
    from streams.topics import TopicName

    notes = open_console(sys.stderr)
    output = LineOutput(sys.stdout.buffer, notes) if form == "jsonl" else TextOutput(open_console(sys.stdout))
    present, strange = PresentAlerts(), Strangers()
    with TopicReader(kafka, TopicName.ALERTS) as reader:
        for change in strange.passed_over(reader.present()):
            present.take(change)
        for change in present.in_order():
            output.show(change)
        if follow:
            for change in strange.passed_over(reader.coming()):
                if present.take(change):
                    output.show(change)
    return BAD_LINES if strange.count else OK


class Strangers:
    """Reports and counts the records of the topic of alerts that are none."""

    def __init__(self) -> None:
        self.count = 0

    def passed_over(self, records: Iterable[Record]) -> Iterator[AlertChange]:
        """The alerts among the records."""
        from streams.kafka.present import UnreadableAlertError, decode_alert

        for record in records:
            try:
                yield decode_alert(record.value)
            except UnreadableAlertError as error:
                self.count += 1
                click.echo(f"not an alert: {record.position}: {error}", err=True)


@click.command(epilog=EXIT_CODES)
@click.option("--resubmit", "again", is_flag=True, help="Send them again to the topics they came from.")
@click.option("--only", multiple=True, metavar="TOPIC[P]@N", help="Only the one from this place; repeatable.")
@_FORMAT
@with_kafka
def rejected(kafka: KafkaSettings, again: bool, only: tuple[str, ...], form: str) -> int:
    """List what could not be used: where it came from, and why.

    Text shows no content, which is about patients; JSON lines hold it. What was sent again is not listed any more; if
    it is still not usable, it comes back under its new place.
    """
    from monitor.terminal import clean
    from streams.deadletters import without_content
    from streams.kafka.resubmit import open_dead_letters, resubmit

    letters, strange = open_dead_letters(kafka)
    for record in strange:
        click.echo(f"not a dead letter: {record.position}", err=True)
    wanted = letters.letters(only)
    if missing := set(only) - {letter.source for letter in wanted}:
        raise click.UsageError(f"nothing open came from {', '.join(sorted(missing))}")
    for letter in wanted:
        click.echo(as_json(letter) if form == "jsonl" else clean(f"{letter.source}  {without_content(letter.reason)}"))
    if again:
        click.echo(f"{resubmit(kafka, wanted)} sent again", err=True)
    return BAD_LINES if strange else OK


def as_json(letter: DeadLetter) -> str:
    """A dead letter as one line of JSON; key and value are text, or base64 where they are not UTF-8."""
    record: dict[str, str | int] = {
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
    }
    for name, content in (("key", letter.key), ("value", letter.value)):
        if content is None:
            continue
        try:
            record[name] = content.decode()
        except UnicodeDecodeError:
            record[f"{name}_base64"] = base64.b64encode(content).decode()
    return json.dumps(record)
