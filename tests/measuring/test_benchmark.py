"""What is measured is what is said: networks, modes, batches, memory. Never how long it took."""

import json
import subprocess
import sys
import warnings
from dataclasses import replace
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn

import nextify as nx
from nextify.costs import totals
from nextify.designs import FAMILIES
from nextify.measuring import Conditions, bench, measure_latency, reference
from nextify.measuring.clock import Effort
from nextify.measuring.limits import require_room
from nextify.measuring.memory import peak_memory
from nextify.measuring.reference import REFERENCES
from nextify.measuring.runtimes import carried_out, ways
from nextify.measuring.tasks import prepared, work

ONCE = Effort(rounds=1, warm_up=0)
SMALL = Conditions(image_size=32, classes=10, batch_size=2)


def test_what_others_call_a_family():
    """The names are theirs."""
    assert REFERENCES.keys() <= FAMILIES.keys()
    nobodys = {"resnet-small", "convnext-iso-small", "convnext-iso-base", "convnext-iso-large",
               "convnext-slim", "convnext-mini"}  # fmt: skip
    assert FAMILIES.keys() - REFERENCES.keys() == nobodys
    for theirs in REFERENCES.values():
        assert timm.is_model(theirs["timm"])
        assert theirs.get("torchvision", "resnet18") in torchvision.models.list_models()


@pytest.mark.slow
def test_their_networks_have_as_many_parameters():
    for ours, theirs in REFERENCES.items():
        params = nx.cost(nx.design(ours)).params
        with torch.device("meta"):
            networks = [timm.create_model(theirs["timm"])]
            if "torchvision" in theirs:
                networks.append(torchvision.models.get_model(theirs["torchvision"]))
        for network in networks:
            assert sum(p.numel() for p in network.parameters()) == params, ours


def test_families_without_a_known_name_have_none_at_timm():
    known = {name.replace("_", "") for name in timm.list_models()}
    for name in FAMILIES.keys() - REFERENCES.keys():
        assert name.replace("-", "") not in known


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_outputs_are_compared_before(library):
    found = bench("resnet18", SMALL, beside=library, memory=False, training=False, effort=ONCE)
    assert found.beside == (library, "resnet18") and found.difference < 1e-5
    assert all(one.beside and one.ratio for one in found.measurements)


def test_a_network_that_is_another_one_is_refused(monkeypatch):
    made = reference.build_theirs

    def other(*arguments):
        network = made(*arguments)
        network.bn1.eps = 0.1
        return network

    monkeypatch.setattr(reference, "build_theirs", other)
    with pytest.raises(nx.InputError, match="other outputs for the same weights"):
        bench("resnet18", SMALL, memory=False, effort=ONCE)


def test_every_block_matters_to_the_compared_outputs():
    """With layer scale at 1e-6 an error in a block would pass."""
    network = reference.build_ours(nx.design("convnext-atto"), SMALL)
    theirs = reference.build_theirs("timm", "convnext_atto", SMALL)
    reference.same_weights(network, theirs, "timm")
    assert reference.difference(network, theirs, SMALL) < 1e-5
    with torch.no_grad():
        theirs.stages[2].blocks[3].mlp.fc2.bias.add_(0.5)
    with pytest.raises(nx.InputError, match="other outputs"):
        reference.difference(network, theirs, SMALL)


def test_what_a_design_is_measured_for():
    found = bench("convnext-mini", SMALL, memory=False, effort=ONCE)
    assert found.beside is None and found.difference is None
    assert [(one.task, one.batch_size) for one in found.measurements] == [
        ("latency", 1), ("throughput", 2), ("training", 2),
    ]  # fmt: skip
    one = found.measurements[1]
    assert one.images_per_second == 2 / one.seconds.median


def test_a_changed_design_is_measured_alone():
    design = nx.design("convnext-atto", kernel_size=5)
    assert bench(design, SMALL, memory=False, training=False, effort=ONCE).beside is None


def test_training_trains_and_answering_does_not():
    network = nx.build(nx.design("convnext-mini"), 10)
    before = {name: entry.clone() for name, entry in network.state_dict().items()}
    prepared("throughput", network, SMALL)()
    assert not network.training
    assert all(torch.equal(before[n], e) for n, e in network.state_dict().items())
    step = prepared("training", network, SMALL)
    step()
    assert network.training and all(p.grad is None for p in network.parameters())
    changed = [n for n, p in network.named_parameters() if not torch.equal(before[n], p)]
    assert len(changed) > 0.9 * len(before)


def test_precision_threads_and_format_are_as_stated():
    seen = []

    class Probe(torch.nn.Linear):
        def forward(self, images):
            y = super().forward(images.flatten(1))
            form = images.is_contiguous(memory_format=torch.channels_last)
            seen.append((y.dtype, form, torch.is_inference_mode_enabled()))
            return y

    for precision, memory_format in (("float32", "contiguous"), ("bfloat16", "channels_last")):
        conditions = Conditions(image_size=8, batch_size=2, precision=precision,
                                memory_format=memory_format)  # fmt: skip
        prepared("throughput", Probe(192, 3), conditions)()
    assert seen == [(torch.float32, False, True), (torch.bfloat16, True, True)]
    before = torch.get_num_threads()
    threads = before + 1
    asked = Conditions(image_size=32, threads=threads)
    watch = {"on_progress": lambda *_: seen.append(torch.get_num_threads())}
    bench("convnext-mini", asked, memory=False, training=False, effort=ONCE, **watch)
    assert set(seen[2:]) == {threads} and torch.get_num_threads() == before


@pytest.mark.slow
def test_the_memory_of_training_holds_what_must_be_there():
    """A network whose weights outweigh all else: 4 copies in training, 1 in inference."""
    design = nx.design("resnet18")
    weights = 4 * nx.cost(design, 32, 10).params
    conditions = Conditions(image_size=32, classes=10, batch_size=2, threads=1)
    latency = peak_memory("latency", design, conditions)
    training = peak_memory("training", design, conditions)
    assert weights < latency < 2 * weights
    assert 4 * weights < training < 6 * weights
    beside = peak_memory("latency", ("timm", "resnet18"), conditions)
    assert weights < beside < 2 * weights


def test_memory_that_cannot_be_measured():
    with pytest.raises(nx.InputError, match="memory of latency cannot be measured"):
        peak_memory("latency", ("timm", "no_such_network"), SMALL)


def test_what_would_not_fit_is_refused_before_trying():
    design = nx.design("convnext-tiny")
    with pytest.raises(nx.InputError, match=r"use a batch of [0-9]+ or less") as refusal:
        bench(design, Conditions(batch_size=1 << 20))
    fitting = int(str(refusal.value).split("use a batch of ")[1].split(" ")[0])
    if "throughput" in str(refusal.value):
        require_room(design, ("throughput",), Conditions(batch_size=fitting), 2)
    with pytest.raises(nx.InputError, match="narrower design"):
        require_room(nx.design("convnext-tiny", widths=(10**6,) * 4), ("latency",), SMALL)


def test_networks_that_are_measured_side_by_side_have_to_fit_together(monkeypatch):
    weights = 4 * totals(nx.design("convnext-tiny"), 32, 1000).params
    monkeypatch.setattr("nextify.measuring.limits.memory", lambda: 3 * weights)
    with pytest.raises(nx.InputError, match="of memory, and there are"):
        nx.measure_latency(["convnext-tiny"] * 3, 32, effort=Effort(rounds=1))


def test_one_value_is_no_batch_to_normalise():
    design, alone = nx.design("resnet18"), Conditions(image_size=32, batch_size=1)
    with pytest.raises(nx.InputError, match="batch of at least 2"):
        bench(design, alone)
    require_room(design, ("latency", "throughput"), alone)
    require_room(design, ("training",), Conditions(image_size=33, batch_size=1))
    require_room(nx.design("convnext-tiny"), ("training",), alone)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"threads": 0}, "threads is 0"),
        ({"precision": "float64"}, "precision is 'float64'"),
        ({"memory_format": "rows"}, "memory_format is 'rows'"),
        ({"classes": 2.5}, "classes is 2.5; it must be a whole number"),
        ({"image_size": "64"}, "image size is '64'; give pixels"),
        ({"image_size": 0}, "image size is 0; it must be at least 1 pixel"),
        ({"device": "gpu"}, "^unknown device 'gpu'; did you mean 'cpu'"),
        ({"runtimes": ()}, r"runtimes is \(\); name one or more of torch, compile, onnxruntime"),
        ({"runtimes": "torch"}, "runtimes is 'torch'"),
        ({"runtimes": ("torch", "onnx")}, "unknown runtime 'onnx'; did you mean 'onnxruntime'"),
        ({"runtimes": ("torch", 7)}, "unknown runtime '7'"),
        ({"runtimes": ("openvino", "torch", "openvino")}, "names openvino twice"),
        (
            {"runtimes": ("openvino",), "precision": "bfloat16"},
            "openvino, which answers on the CPU",
        ),
        ({"runtimes": ("onnxruntime",), "device": "cuda"}, "not on cuda in float32; leave it out"),
    ],
)
def test_conditions_that_are_none(wrong, said):
    with pytest.raises(nx.InputError, match=said):
        Conditions(**wrong)


def test_names_and_numbers_of_numpy_are_taken():
    assert Conditions(image_size=np.int64(32), classes=np.int64(10), batch_size=2) == SMALL
    for names in ("convnext-mini", nx.design("convnext-mini"), ["convnext-mini"]):
        assert len(measure_latency(names, np.int64(32), np.int64(10), effort=ONCE)) == 1


def test_other_libraries():
    with pytest.raises(nx.InputError, match="did you mean 'timm'"):
        bench("resnet18", SMALL, beside="tim")


def test_without_timm_it_is_measured_alone(monkeypatch):
    def missing(library):
        raise PackageNotFoundError(library)

    monkeypatch.setattr("nextify.measuring.reference.version", missing)
    assert bench("resnet18", SMALL, memory=False, training=False, effort=ONCE).beside is None
    with pytest.raises(nx.InputError, match="timm is not installed"):
        bench("resnet18", SMALL, beside="timm")


@pytest.fixture
def no_compiler(monkeypatch):
    """`torch.compile` gives a network back: compiling takes minutes, and dynamo stays out of this
    process."""
    monkeypatch.setattr(torch, "compile", lambda network, **_: network)


EVERY = ("torch", "compile", "onnxruntime", "openvino")


def test_every_runtime_is_measured_with_ours_and_theirs(no_compiler):
    for name in ("onnxruntime", "openvino", "onnxscript"):
        pytest.importorskip(name, reason="the export extra is not installed")
    at = replace(SMALL, runtimes=EVERY, threads=1)
    found = bench("resnet18", at, memory=False, effort=ONCE)
    assert found.beside == ("timm", "resnet18")
    rows = [(one.task, one.runtime, one.batch_size) for one in found.measurements]
    assert rows == [
        *(("latency", runtime, 1) for runtime in EVERY),
        *(("throughput", runtime, 2) for runtime in EVERY),
        *(("training", runtime, 2) for runtime in EVERY[:2]),
    ]
    assert all(one.seconds.count == 1 and one.beside and one.ratio for one in found.measurements)


def test_what_is_compiled_is_forgotten_once_for_both(monkeypatch):
    """And torch's warning of functions whose results are kept is not for who measures."""
    seen = []

    def compiled(network, **_):
        def call(images):
            warnings.warn("Dynamo detected a call to a `functools.lru_cache`-wrapped", stacklevel=2)
            return network(images)

        seen.append("compile")
        return call

    monkeypatch.setattr(torch, "compile", compiled)
    monkeypatch.setattr(torch.compiler, "reset", lambda: seen.append("reset"))
    bench("resnet18", replace(SMALL, runtimes=("compile",)), memory=False, effort=ONCE)
    assert seen == 3 * ["reset", "compile", "compile"]


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", ["convnext-mini", "vit-mini"])
def test_exported_networks_answer_as_torch(runtime, name):
    for library in ("onnxscript", runtime):
        pytest.importorskip(library, reason="the export extra is not installed")
    at = replace(SMALL, image_size=(32, 48), memory_format="contiguous", threads=1)
    network = reference.build_ours(nx.design(name), at)
    way = ways(network, at.sides)[runtime]
    for task in ("latency", "throughput"):
        served = carried_out(network, runtime, way, task, at)
        found, right = (work(task, one, at)() for one in (served, network))
        assert not isinstance(served, type(network)) and found.shape == (at.batch_of(task), 10)
        torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-5)


def test_runtimes_that_answer_otherwise_or_fail_are_refused():
    network = reference.build_ours(nx.design("convnext-mini"), SMALL)

    class Other(nn.Module):
        def forward(self, images):
            return network(images) * 1.001

    class Failing(nn.Module):
        def forward(self, images):
            raise RuntimeError("no such\noperator")

    said = {Other: "gives other outputs than torch .* difference 1.0e-03, at most 1e-04",
            Failing: r"openvino fails \(no such operator\); leave it out"}  # fmt: skip
    for kind, message in said.items():
        with pytest.raises(nx.InputError, match=message):
            carried_out(network, "openvino", lambda batch, kind=kind: kind(), "latency", SMALL)


def test_runtimes_that_are_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(nx.InputError, match=r'pip install "nextify\[export\]"') as refusal:
        bench("resnet18", replace(SMALL, runtimes=("torch", "openvino")), effort=ONCE)
    assert "openvino is needed" in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_graph_is_what_a_gpu_replays():
    with pytest.raises(nx.InputError, match="graph, which a GPU replays, and the device is cpu"):
        replace(SMALL, runtimes=("torch", "graph"))
    replace(SMALL, device="cuda", runtimes=("torch", "graph"))


def test_memory_is_measured_where_torch_computes(monkeypatch, no_compiler):
    weighed = []

    def peak(task, network, conditions, runtime):
        weighed.append((task, runtime))
        return 1000 + len(weighed)

    monkeypatch.setattr("nextify.measuring.benchmark.peak_memory", peak)
    monkeypatch.setattr("nextify.measuring.benchmark.carried_out", lambda network, *_: network)
    monkeypatch.setattr("nextify.measuring.benchmark.require_installed", lambda runtimes: None)
    at = replace(SMALL, runtimes=("onnxruntime", "compile"))
    found = bench("convnext-mini", at, beside="none", effort=ONCE)
    assert weighed == [(task, "compile") for task in ("latency", "throughput", "training")]
    memories = [(one.runtime, one.memory) for one in found.measurements]
    assert memories == [("onnxruntime", None), ("compile", 1001), ("onnxruntime", None),
                        ("compile", 1002), ("compile", 1003)]  # fmt: skip


def test_memory_of_a_compiled_network(monkeypatch):
    monkeypatch.setenv("TORCH_COMPILE_DISABLE", "1")  # in the process that measures, too
    weights = 4 * nx.cost(nx.design("convnext-mini"), 32, 10).params
    found = peak_memory("latency", nx.design("convnext-mini"), SMALL, "compile")
    assert weights < found


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_compiled_network_is_measured_in_a_process_of_its_own():
    words = ("bench", "convnext-mini", "--image-size", "32", "--classes", "10", "--repeats", "1",
             "--batch-size", "2", "--no-memory", "--threads", "1", "--beside", "none", "--json",
             "--runtimes", "torch,compile,onnxruntime,openvino")  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "nextify", *words], capture_output=True, text=True, check=True
    )
    (found,) = json.loads(done.stdout)["results"]
    assert [one["runtime"] for one in found["measurements"]] == [*EVERY, *EVERY, *EVERY[:2]]


def test_a_compiler_that_is_missing(monkeypatch):
    def broken(network, **_):
        def call(images):
            raise torch._dynamo.exc.TorchDynamoException("no compiler found")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    conditions = Conditions(image_size=32, runtimes=("compile",))
    with pytest.raises(nx.InputError, match=r"torch.compile does not work here \(no compiler"):
        bench("convnext-mini", conditions, memory=False, effort=ONCE)


def test_latencies_of_several_designs():
    designs = [nx.design("convnext-mini"), nx.design("convnext-atto")]
    found = measure_latency(designs, 32, 10, effort=Effort(rounds=3))
    assert [one.count for one in found] == [3, 3]
    assert all(0 < one.low <= one.median <= one.high for one in found)


def test_no_designs_have_no_latencies():
    with pytest.raises(nx.InputError, match="there are no designs to measure; give at least one"):
        measure_latency([])


def test_torch_is_loaded_when_something_is_measured_and_not_before():
    code = "import sys, nextify as nx; nx.fit(params='1M'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
