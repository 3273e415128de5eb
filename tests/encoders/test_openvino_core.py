"""The one OpenVINO core of a process: what it does to signals."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from encoders.openvino_core import openvino_core
from encoders.openvino_runtime import import_openvino

ROOT = Path(__file__).parent.parent.parent
DROPPED_ELSEWHERE = """
import gc, signal, threading
from encoders.loading import STARTER_MODEL, load_encoder

encoders = [load_encoder(STARTER_MODEL)]
thread = threading.Thread(target=lambda: (encoders.clear(), gc.collect()))
thread.start()
thread.join()
signal.signal(signal.SIGINT, lambda *_: print("heard"))
signal.raise_signal(signal.SIGINT)
"""


def test_there_is_one_core() -> None:
    """Every caller gets the same, so none is given up before the process ends."""
    openvino = import_openvino()

    assert openvino_core(openvino) is openvino_core(openvino)


@pytest.mark.slow
def test_ctrl_c_is_heard_after_an_encoder_was_given_up_in_another_thread() -> None:
    """The stack for signals that OpenVINO gives the first thread stays."""
    done = subprocess.run(
        [sys.executable, "-c", DROPPED_ELSEWHERE],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr
