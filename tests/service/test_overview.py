"""The view of the unit: made once for all screens that ask together, in the order of urgency, and never outdated."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.demo.build import LOG as DEMO_LOG
from monitor.service import overview
from monitor.service.models import Unit
from monitor.service.overview import SHARED_FOR, natural
from monitor.service.service import Site
from rules.settings import SiteSettings
from streams.embedded.settings import EmbeddedSettings
from streams.embedded.wall import system_wall
from streams.replay import in_stream_order
from tests.service.running import Running
from tests.streams.stream import events_of, packs

pytestmark = pytest.mark.xdist_group("service")


class Seconds:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Ward:
    """One bed of the demo up to its end, and how many views of the unit were made."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = Seconds()
        self.made = 0
        make = overview.Overview._make

        async def counted(view: overview.Overview, unit: str | None) -> overview.Packed:
            self.made += 1
            return await make(view, unit)

        monkeypatch.setattr(overview.Overview, "_make", counted)
        site = Site(
            "ICU 1", packs(), SiteSettings(), EmbeddedSettings(), system_wall, self.seconds, folder / "service.db"
        )
        self.service = Running(site)
        self.service.send(list(in_stream_order(events_of(DEMO_LOG, "bed-1"))))

    def unit(self, encoding: str = "identity") -> Unit:
        response = self.service.client.get("/v1/unit", headers={"Accept-Encoding": encoding})
        assert response.headers.get("content-encoding", "identity") == encoding
        return Unit.model_validate_json(response.content)


@pytest.fixture
def ward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ward]:
    found = Ward(tmp_path, monkeypatch)
    yield found
    found.service.stop()


def test_who_asks_together_shares_one_answer(ward: Ward) -> None:
    first = ward.unit()
    assert ward.unit() == first
    assert ward.made == 1
    ward.seconds.now += SHARED_FOR + 0.001
    ward.unit()
    assert ward.made == 2


def test_each_unit_has_an_answer_of_its_own(ward: Ward) -> None:
    assert len(ward.unit().patients) == 1
    assert ward.service.client.get("/v1/unit", params={"unit": "elsewhere"}).json()["patients"] == []


def test_a_compressed_answer_says_the_same(ward: Ward) -> None:
    assert ward.unit("gzip") == ward.unit()


def test_what_an_answer_changed_is_in_the_next_view(ward: Ward) -> None:
    (bed,) = ward.unit().patients
    alert = next(found for found in bed.alerts if found.state == "open")
    path = f"/v1/alerts/{alert.id}/actions"
    assert ward.service.client.post(path, json={"action": "acknowledge"}).status_code == 201
    ward.seconds.now += SHARED_FOR + 0.001
    (bed,) = ward.unit().patients
    assert {found.id: found.state for found in bed.alerts}[alert.id] == "acknowledged"


def test_signals_that_are_too_old_are_named_for_people(ward: Ward) -> None:
    later = datetime(2026, 3, 14, 23, tzinfo=UTC)
    (event,) = events_of(DEMO_LOG, "bed-2")[:1]
    ward.service.send([event.model_copy(update={"effective_at": later, "received_at": later})])
    ward.seconds.now += SHARED_FOR + 0.001
    data = next(bed.data for bed in ward.unit().patients if bed.patient == "bed-1")
    assert data.stale
    assert "Mean arterial pressure, arterial line" in data.stale_signals


def test_a_small_answer_is_not_compressed() -> None:
    found = overview.Packed(b"{}", None).response("gzip")
    assert "content-encoding" not in found.headers
    assert gzip.decompress(bytes(overview.Packed(b"{}", gzip.compress(b"{}")).response("gzip").body)) == b"{}"


def test_bed_2_comes_before_bed_10() -> None:
    assert sorted(["bed-10", "bed-2", "side room"], key=natural) == ["bed-2", "bed-10", "side room"]
