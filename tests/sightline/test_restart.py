"""Rules of adding while the service dies: nothing is lost, nothing doubled."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sightline.adding import AddLimits, NewItem
from sightline.client import Client
from sightline.retries import RetryRule
from tests.fakes import picture_bytes
from tests.sightline.restarting import restarting_service

PICTURES = 120
BATCH = 4
KILLED_AFTER = (12, 60)
PATIENT = RetryRule(attempts=2000, first_wait_s=0.05, longest_wait_s=0.25)
"""About 6 minutes until a server that does not come back is given up."""


@pytest.mark.slow
def test_a_server_that_is_killed_during_an_add_has_every_image_once(tmp_path: Path) -> None:
    """Killed twice with SIGKILL in mid-stream, with batches under way that are sent again.

    Half of the images have ids of their own and half are named by their content. A batch that was
    stored before the answer was lost is answered as unchanged.
    """
    pictures = [picture_bytes((n // 256, n % 256, 9), size=(8, 8)) for n in range(PICTURES)]
    items = [
        NewItem(data, id=f"own-{n}" if n % 2 else None, caption=str(n))
        for n, data in enumerate(pictures)
    ]
    with (
        restarting_service(tmp_path) as service,
        Client(service.url, retries=PATIENT, timeout_s=300) as client,
    ):
        results = []
        limits = AddLimits(batch_images=BATCH, concurrency=3)
        for result in client.add_stream(items, limits=limits):
            results.append(result)
            if len(results) in KILLED_AFTER:
                service.kill_and_restart()
        stored = {item.id: item for item in client.items.walk(page=50)}

    assert {result.status for result in results} <= {"created", "unchanged"}
    assert [result.error for result in results] == [None] * PICTURES
    assert len(stored) == PICTURES
    for n, (result, data) in enumerate(zip(results, pictures, strict=True)):
        assert result.id is not None
        assert stored[result.id].digest == hashlib.sha256(data).hexdigest()
        assert stored[result.id].caption == str(n)
