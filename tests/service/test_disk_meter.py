"""Rules of measuring the disk: really, and not at every question."""

from __future__ import annotations

from pathlib import Path

from index.gallery import Gallery, NewImage
from service.disk_meter import KEPT_S, DiskMeter
from tests.fakes import FakeEncoder, picture_bytes


def test_a_measurement_is_good_for_a_minute(tmp_path: Path) -> None:
    """What is added meanwhile counts when the minute is over."""
    now_s = [100.0]
    with Gallery.open(tmp_path, FakeEncoder()) as gallery:
        meter = DiskMeter(tmp_path, gallery.collection.store, clock=lambda: now_s[0])
        before = meter.read()
        data = picture_bytes("red")
        gallery.add([NewImage(data=data)])
        now_s[0] += KEPT_S
        assert meter.read() is before
        now_s[0] += 1

        after = meter.read()
        assert before.images == 0
        assert after.images == len(data)
        assert after.total > before.total
