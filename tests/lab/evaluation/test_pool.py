"""Metrics in worker processes: in order, bounded, and an end that is reported."""

from __future__ import annotations

import os
import signal
import sys

import numpy as np
import pytest

from basam.lab.evaluation.jobs import MetricJob, do, sigmoid
from basam.lab.evaluation.pool import MetricPool


def job(right: int) -> MetricJob:
    """A mask of 10 pixels in a row, `right` of which are the object's 10."""
    logits = np.full((4, 20), -3, dtype=np.float32)
    truth = np.zeros((4, 20), dtype=bool)
    logits[1, :10] = 3
    truth[1, 10 - right : 20 - right] = True
    return MetricJob(logits, truth, ("iou",))


@pytest.mark.parametrize("workers", [0, 1])
def test_results_come_in_order(workers: int) -> None:
    pool = MetricPool(workers)
    found: list[float] = []
    try:
        for right in range(1, 11):
            pool.submit(job(right), lambda measured: found.append(measured.metrics["iou"]))
            assert len(pool.queue) < pool.capacity
        pool.finish()
    finally:
        pool.close()
    assert found == pytest.approx([right / (20 - right) for right in range(1, 11)])
    assert pool.worked > 0


def test_a_lost_worker_is_reported() -> None:
    pool = MetricPool(1)
    try:
        submit_and_finish(pool, 1)
        assert pool.executor is not None
        for process in pool.executor._processes.values():
            os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="fewer --workers"):
            submit_and_finish(pool, 20)
    finally:
        pool.close()


def submit_and_finish(pool: MetricPool, jobs: int) -> None:
    for _ in range(jobs):
        pool.submit(job(5), lambda _: None)
    pool.finish()


def test_without_a_truth_there_is_a_mask_only() -> None:
    measured = do(MetricJob(job(3).logits, None, ("iou",)))
    assert measured.metrics == {}
    assert measured.rle["size"] == [4, 20]


def test_sigmoid_is_stable() -> None:
    logits = np.array([-1e4, -2, 0, 2, 1e4], dtype=np.float32)
    with np.errstate(all="raise"):
        found = sigmoid(logits)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [0, 0.119203, 0.5, 0.880797, 1], atol=1e-6)


def test_workers_are_not_started_without_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r'comes with the extra evaluate: .*pip install -e "\.\[evaluate\]"'):
        MetricPool(1)
