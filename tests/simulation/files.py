"""A sender that writes a log, which is renamed, or copied and cut, while the service follows it by its name."""

from __future__ import annotations

import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path

from monitor.service.inputs import Followed, Follower
from monitor.service.liveness import Liveness
from streams.embedded import store
from tests.simulation.disk import PowerLostError
from tests.simulation.senders import Message, Sender
from tests.simulation.service import Service
from tests.simulation.world import Fault, World


class LogFile:
    """A file that a sender writes to, and the follower of each process.

    A site rotates its files in one way, and none of which no line has been taken: how far a file was read is noted with
    its lines, and one that nobody has noted cannot be known under another name. Whoever cuts a file does so once it has
    been read to its end: what is cut before that is lost. A file that is renamed keeps what it has.
    """

    def __init__(self, sender: Sender, service: Service, folder: Path, world: World) -> None:
        self.sender = sender
        self.path = folder / "chart.jsonl"
        self.written: list[Message] = []
        self._world = world
        self._service = service
        self._number = count(1)
        self._follower: Follower | None = None
        self._cuts = world.chance.random() < 0.5
        self._unmarked = True
        self.path.touch()
        service.whenever_started(self._follow)
        service.whenever_time_passes(self.read)

    def write(self) -> None:
        """Write what is due."""
        self._write(self.path)

    def read(self) -> bool:
        """Have the service read all that is there; whether it did so to the end."""
        follower = self._follower
        if follower is None or not self._service.keep_running():
            return False
        follower = self._follower or follower
        more, unmarked = True, self._unmarked
        with suppress(PowerLostError):
            while more:
                turn = follower._source.turn(self._world.clock())
                follower._use(turn)
                follower._note(turn.standing)
                more, unmarked = turn.more, unmarked and not turn.lines
            self._unmarked = unmarked
            return True
        self._let_go(follower)
        return False

    def rotate(self) -> None:
        """Begin anew under the same name."""
        if self._unmarked:
            return
        if self._cuts:
            self._copy_and_cut()
        else:
            self._rename()

    def _rename(self) -> None:
        """Give the file another name, and begin a new one; whoever writes may notice a little later."""
        self._world.inject(Fault.RENAMED)
        self._unmarked = True
        old = self.path.rename(self.path.with_suffix(f".{next(self._number)}"))
        self.path.touch()
        self.read()
        self._write(old)

    def _copy_and_cut(self) -> None:
        """Copy the file, and cut it to nothing."""
        if self.read():
            self._world.inject(Fault.CUT)
            self._unmarked = True
            shutil.copy(self.path, self.path.with_suffix(f".{next(self._number)}"))
            self.path.write_bytes(b"")

    def _write(self, path: Path) -> None:
        due = self.sender.due(self._world.seconds, len(self.sender.messages))
        with path.open("ab") as file:
            file.writelines(message.raw + b"\n" for message in due)
        self.written += due
        self.sender.done += len(due)

    def _follow(self) -> None:
        service, world = self._service, self._world
        assert service.runtime is not None
        marks = store.source_marks(service.runtime._connection, str(self.path))
        followed = Followed("chart", str(self.path))
        liveness = Liveness(["chart"], {}, world.wall, world.clock)
        if self._follower is not None:
            self._let_go(self._follower)
        self._follower = Follower(
            followed, marks, service.examiner, service.submit, service.arrival, world.clock, liveness
        )

    def _let_go(self, follower: Follower) -> None:
        """What a process had open is closed with it."""
        follower._source.close()

    def close(self) -> None:
        """Let go of everything."""
        if self._follower is not None:
            self._follower._source.close()
