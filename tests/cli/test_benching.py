"""bench, fit --latency and what they refuse, on the command line."""

import json
from importlib.metadata import version

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextify.costs.spread import Spread
from nextify.errors import InputError
from nextify.requests import command_of, read

QUICK = ("--image-size", "32", "--classes", "10", "--repeats", "2", "--batch-size", "2")


def test_a_table_and_json(nextify):
    names = ("convnext-mini", "resnet18", "stem_stride=4")
    answer = nextify("bench", *names, *QUICK, "--no-memory", "--no-training")
    assert answer.code == 0 and "resnet18" in answer.out and "ratio" in answer.out
    assert (
        "convnext-mini: measured alone, since no network of timm's is known to be the same"
        in answer.err
    )
    answer = nextify(
        "bench", "convnext-mini", *QUICK, "--beside", "none", "--threads", "1", "--json"
    )
    values = json.loads(answer.out)
    assert values["conditions"]["threads"] == 1
    told = [line.partition(" ")[2].partition(";")[0] for line in answer.err.splitlines()]
    assert told[:2] == ["convnext-mini: latency by torch, 0% done",
                        "convnext-mini: throughput by torch, 17% done"]  # fmt: skip
    assert told[-1] == "convnext-mini: memory of training by torch, 83% done"
    assert values["environment"]["torch"] and values["conditions"]["memory_format"]
    (found,) = values["results"]
    assert found["name"] == "convnext-mini" and found["beside"] is None
    assert [one["task"] for one in found["measurements"]] == ["latency", "throughput", "training"]
    for one in found["measurements"]:
        assert one["runtime"] == "torch" and one["memory"] > 0 and one["seconds"]["count"] == 2
        assert one["images_per_second"] == one["batch_size"] / one["seconds"]["median"]


def test_runtimes_have_a_row_each(nextify):
    for name in ("onnxruntime", "onnxscript"):
        pytest.importorskip(name, reason="the export extra is not installed")
    asked = ("--runtimes", "torch, onnxruntime", "--no-memory", "--no-training", "--threads", "1")
    answer = nextify("bench", "resnet18", *QUICK, *asked)
    rows = [line.split() for line in answer.out.splitlines() if line.startswith("resnet18 ")]
    assert [row[1:4] for row in rows] == [
        ["latency", "torch", "1"], ["latency", "ONNX", "Runtime"],
        ["throughput", "torch", "2"], ["throughput", "ONNX", "Runtime"],
    ]  # fmt: skip
    assert f"ONNX Runtime {version('onnxruntime')}, float32" in answer.out
    values = json.loads(nextify("bench", "convnext-mini", *QUICK, *asked, "--json").out)
    assert values["conditions"]["runtimes"] == ["torch", "onnxruntime"]
    assert values["environment"]["onnxruntime"] == version("onnxruntime")
    told = [(one["task"], one["runtime"]) for one in values["results"][0]["measurements"]]
    tasks = ("latency", "throughput")
    assert told == [(task, name) for task in tasks for name in ("torch", "onnxruntime")]


REFUSED = [
    ("resnet5", "did you mean 'resnet-50'"),
    ("stem_stride=2", "no design is named"),
    ("resnet18 stem_strid=2", "did you mean 'stem_stride'"),
    ("resnet18 --batch-size 0", "--batch-size"),
    ("resnet18 --batch-size 1048576", "use a batch of"),
    ("resnet18 --seconds 0", "--seconds: it is '0'; give seconds"),
    ("resnet18 --seconds nan", "--seconds"),
    ("resnet18 --repeats 0", "--repeats"),
    ("resnet18 --threads 0", "--threads"),
    ("resnet18 --beside tim", "did you mean 'timm'"),
    ("resnet18 --precision float64", "Known: float32, bfloat16"),
    ("resnet18 --memory-format rows", "Known: channels_last, contiguous"),
    ("resnet18 --runtimes torch,onnx", "did you mean 'onnxruntime'"),
    ("resnet18 --runtimes torch,,openvino", "unknown runtime ''"),
    ("resnet18 --runtimes=", "--runtimes: it is empty"),
    ("resnet18 --runtimes torch,torch", "names torch twice"),
    ("resnet18 --runtimes openvino --precision bfloat16", "runtimes has openvino"),
    ("resnet18 --compile", "here it is --runtimes"),
    ("resnet18 --device tpu", "unknown device 'tpu'"),
    ("resnet18 --image-size 16", "too small"),
    ("resnet18 widths=9999999,9999999,9999999,9999999", "narrower design"),
]


@pytest.mark.parametrize(("line", "said"), REFUSED, ids=[line[:30] for line, _ in REFUSED])
def test_what_cannot_be_measured(refused, line, said):
    assert said in refused("bench", *line.split(" "))


def test_a_latency_on_the_command_line(nextify, monkeypatch):
    def measure(designs, image_size, classes):
        return [Spread(0.001 * sum(one.depths), 0.0009, 0.0011, 9) for one in designs]

    monkeypatch.setattr("nextify.cli.fitting._stopwatch", lambda request: measure)
    answer = nextify("fit", "--latency", "20ms", "--params", "1M", "--count", "2")
    assert answer.code == 0 and "latency" in answer.out and " ms" in answer.out
    found = json.loads(nextify("fit", "--latency", "20ms", "--count", "2", "--json").out)
    assert found and all(one["latency"]["median"] <= 0.02 for one in found)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--latency 20", "latency is '20'; give a time with its unit"),
        ("--latency=", "--latency: it is empty"),
        ("--latency 1us --image-size 32", "was measured to take"),
    ],
)
def test_latencies_that_cannot_be(refused, line, said):
    assert said in refused("fit", *line.split(" "))


COMMANDS = ("fit", "convert", "bench")
OPTIONS = ("--json", "--latency", "--macs", "--params", "--image-size", "--classes", "--beside",
           "--from", "--to", "--design", "--class-names", "--wrapper", "--repeats", "--seconds",
           "--no-memory", "--runtimes", "--threads", "--free", "--base", "--like", "--multiple-of",
           "--count", "-h", "--latenc", "--memory=1")  # fmt: skip
VALUES = ("20ms", "1s", "0ms", "nan", "12M", "2.2G", "-1", "0", "3", "64", "32x32", "timm", "none",
          "torchvision", "official", "resnet18", "convnext-tiny", "kernel_size", "stem_stride=2",
          "depths=1,1,2,1", "nowhere.pth", "out.safetensors", "", "1e9",
          "99999999999")  # fmt: skip
typed = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=8)
words = st.lists(st.one_of(st.sampled_from(OPTIONS), st.sampled_from(VALUES), typed), max_size=8)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(COMMANDS), words)
def test_the_grammar_reads_or_refuses(capsys, command, arguments):
    """Whatever is typed after fit, convert and bench: options, or one line."""
    try:
        assert command_of(type(read([command, *arguments]).request)) == command
    except InputError as error:
        assert str(error) and "Traceback" not in str(error)
    except SystemExit as end:  # --help
        assert not end.code and capsys.readouterr().out


budget = st.sampled_from(("--params", "--macs", "--activation-memory", "--latency", "--like",
                          "--base", "--free", "--multiple-of", "--count"))  # fmt: skip


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(budget, st.one_of(st.sampled_from(VALUES), typed)), max_size=2))
def test_budgets_are_fitted_or_refused(nextify, monkeypatch, pairs):
    def measure(designs, image_size, classes):
        return [Spread(0.001 * sum(one.depths), 0.0009, 0.0011, 9) for one in designs]

    monkeypatch.setattr("nextify.cli.fitting._stopwatch", lambda request: measure)
    answer = nextify("fit", *(word for pair in pairs for word in pair))
    assert answer.code in (0, 2)
    if answer.code == 2:
        assert answer.err.startswith("nextify: ") and answer.err.count("\n") == 1


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.one_of(st.sampled_from(VALUES[6:]), typed), max_size=3))
def test_conversions_are_refused(nextify, arguments):
    """No such file is there, whatever is typed."""
    answer = nextify("convert", *arguments)
    assert answer.code == 2 or "--help" in arguments or "-h" in arguments
    assert answer.code != 2 or answer.err.count("\n") == 1
