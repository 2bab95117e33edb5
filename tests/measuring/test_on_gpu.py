"""`bench` on a GPU: it waits for the device, and weighs what the device holds."""

import time
from copy import deepcopy
from dataclasses import replace

import pytest
import torch

import nextify as nx
from nextify.costs import cost
from nextify.measuring import Conditions, bench, reference
from nextify.measuring.clock import Effort
from nextify.measuring.memory import peak_memory
from nextify.measuring.tasks import captured, prepared, work

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

AT = Conditions(image_size=64, classes=10, batch_size=8, device="cuda", precision="bfloat16")


def test_all_tasks_beside_timm():
    found = bench("convnext-atto", AT, beside="timm", memory=False, effort=Effort(rounds=3))
    assert found.beside == ("timm", "convnext_atto") and found.difference < 1e-3
    assert all(one.seconds.median > 0 and one.ratio for one in found.measurements)


def test_a_graph_answers_and_trains_as_the_operators_do():
    at = replace(AT, precision="float32", runtimes=("torch", "graph"))
    found = bench("convnext-atto", at, beside="timm", memory=False, effort=Effort(rounds=3))
    assert [one.runtime for one in found.measurements] == ["torch", "graph"] * 3
    network = reference.build_ours(nx.design("convnext-atto"), at)
    once = work("throughput", network, at)
    assert torch.equal(once(), captured(once, "cuda")())
    losses = []
    for way in (lambda once: once, lambda once: captured(once, "cuda")):
        once = way(work("training", deepcopy(network), at))
        losses.append([float(once()) for _ in range(5)])
    eager, replayed = losses  # three steps have warmed up, and one was captured, not done
    assert replayed[:2] == pytest.approx(eager[3:], rel=1e-4)


@pytest.mark.parametrize("task", ["throughput", "training"])
def test_a_call_waits_until_the_device_has_done_it(task):
    call = prepared(task, reference.build_ours(nx.design("convnext-tiny"), AT), AT)
    for _ in range(3):
        call()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    began = time.perf_counter()
    start.record()
    call()
    seconds = time.perf_counter() - began
    assert torch.cuda.current_stream().query(), "something is still to be done"
    end.record()
    end.synchronize()
    assert start.elapsed_time(end) / 1000 <= seconds * 1.5


def test_peak_memory_is_that_of_the_device():
    design = nx.design("convnext-tiny")
    weights = 4 * cost(design, 64, 10).params
    assert weights < peak_memory("throughput", design, AT) < 4 * weights
    assert 4 * weights < peak_memory("training", design, AT) < 12 * weights
