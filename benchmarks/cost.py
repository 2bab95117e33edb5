"""Designs counted a second on one core: here, by fvcore, and by torch's own counter.

    python benchmarks/cost.py

Distinct random designs: any subset of the choices of the path from ResNet-50 to ConvNeXt-T, each
stage with a random number of blocks (1 to 12) and a random width (8 to 1024), at 224 pixels and
1000 classes. `totals` gives parameters, MACs and training bytes; the first pass over the designs
includes learning the forms that occur (`nextify.costs.form`), the second finds them learned. `cost`
gives everything for every layer. The others work on the first of the same designs that have fewer
than 50 M parameters: torch's counter on the meta device, where a network has no memory and computes
nothing, fvcore (where it is installed) on a network with memory, which its tracing needs. Both
include assembling the network. All must agree. Seconds are of processor time, with one thread.
Prints a table, then one JSON line.
"""

import json
import logging
import platform
import random
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

import nextify as nx
from nextify.blueprint import draw
from nextify.costs import totals
from nextify.costs.form import _form
from nextify.network import assemble

try:
    from fvcore.nn import FlopCountAnalysis  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    FlopCountAnalysis = None

DESIGNS, FOR_LAYERS, FOR_OTHERS = 100_000, 1_000, 20
LARGEST, SIZE = 50_000_000, 224
Count = tuple[int, int]  # parameters, MACs


def random_fields(chance: random.Random, path: nx.Path) -> dict[str, Any]:
    """The fields of a random design."""
    fields: dict[str, Any] = {}
    for choice in path.choices:
        if chance.random() < 0.5:
            fields.update(choice.changes)
    depths = tuple(chance.randint(1, 12) for _ in range(4))
    return {**fields, "depths": depths, "widths": tuple(chance.randint(8, 1024) for _ in range(4))}


def by_totals(design: nx.Design) -> Count:
    """Parameters and MACs, here."""
    return totals(design, SIZE)[:2]


def by_cost(design: nx.Design) -> Count:
    """And with all layers."""
    counted = nx.cost(design, SIZE)
    return counted.params, counted.macs


def by_torch(design: nx.Design) -> Count:
    """By torch's counter."""
    network = assemble(draw(design)).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, 3, SIZE, SIZE, device="meta"))
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2


def by_fvcore(design: nx.Design) -> Count:
    """By fvcore, whose FLOPs are MACs; those of convolutions and linear layers."""
    network = assemble(draw(design)).eval().to_empty(device="cpu")
    found = FlopCountAnalysis(network, torch.zeros(1, 3, SIZE, SIZE))
    operators = found.unsupported_ops_warnings(False).uncalled_modules_warnings(False).by_operator()
    macs = operators["conv"] + operators["linear"]
    return sum(p.numel() for p in network.parameters()), int(macs)


def timed(count: Callable[[Any], Any], items: list[Any]) -> tuple[list[Any], float]:
    """The results, and how many a second."""
    start = time.process_time()
    results = [count(item) for item in items]
    return results, len(items) / (time.process_time() - start)


def main() -> None:
    """Print the table and the JSON line."""
    torch.set_num_threads(1)
    logging.getLogger("fvcore").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")  # of torch's tracer
    chance, path = random.Random(0), nx.path("resnet50")
    fields = [random_fields(chance, path) for _ in range(DESIGNS)]
    designs, making = timed(lambda values: nx.Design(**values), fields)
    assert len(set(designs)) == DESIGNS
    rows: list[dict[str, Any]] = []

    def add(name: str, count: Callable[[nx.Design], Count], some: list[nx.Design]) -> list[Count]:
        results, rate = timed(count, some)
        rows.append({"counter": name, "designs": len(some), "designs_s": rate})
        return results

    found = add("totals, first time", by_totals, designs)
    forms = _form.cache_info().currsize
    add("totals, again", by_totals, designs)
    assert add("cost, every layer", by_cost, designs[:FOR_LAYERS]) == found[:FOR_LAYERS]
    few = [at for at, (params, _) in enumerate(found) if params < LARGEST][:FOR_OTHERS]
    some, counts = [designs[at] for at in few], [found[at] for at in few]
    assert add("torch's counter", by_torch, some) == counts
    if FlopCountAnalysis is not None:
        with torch.no_grad():
            assert add("fvcore", by_fvcore, some) == counts
    whole = 1 / (1 / making + 1 / rows[0]["designs_s"])
    print(f"{'counter':<22}{'designs':>10}{'designs/s':>12}{'us a design':>14}")
    for row in rows:
        rate = row["designs_s"]
        print(f"{row['counter']:<22}{row['designs']:>10,}{rate:>12,.0f}{1e6 / rate:>14,.1f}")
    if FlopCountAnalysis is None:
        print("fvcore is not installed, and not measured")
    print(f"making and checking a Design: {1e6 / making:.1f} us; with the first totals "
          f"{whole:,.0f} designs/s; {forms:,} forms")  # fmt: skip
    print(json.dumps({
        "rows": rows, "designs_made_s": making, "made_and_counted_s": whole, "forms": forms,
        "torch": torch.__version__, "python": platform.python_version(),
        "cpu": platform.processor() or platform.machine(),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
