"""What only a GPU can show: the same bits twice, mixed precision, and the CPU's answers."""

import pytest
import torch

import nextify as nx
from nextify.designs import Run, design
from nextify.records import EpochPoint
from nextify.training import Settings, train_with_network
from training.conftest import SMALL, small_recipe

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def gpu_run(dataset, **changes):
    return Run(
        design=design("convnext-mini", **SMALL),
        recipe=small_recipe(**changes),
        data=dataset.identity(),
        precision="bfloat16",
    )


def test_the_same_run_gives_the_same_bits(corners):
    run = gpu_run(corners)
    first, again = (train_with_network(run, corners, Settings("cuda")) for _ in range(2))
    assert first[0].result == again[0].result
    for name, entry in first[1].network.state_dict().items():
        assert torch.equal(entry, again[1].network.state_dict()[name]), name


def test_resuming_gives_the_same_bits(corners, tmp_path):
    run = gpu_run(corners)
    whole = train_with_network(run, corners, Settings("cuda"))[0]

    def stop(point: EpochPoint, epochs: int) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        train_with_network(run, corners, Settings("cuda", checkpoint=file, on_epoch=stop))
    resumed = train_with_network(run, corners, Settings("cuda", checkpoint=file))[0]
    assert resumed.result == whole.result


def test_mixed_precision_learns(corners):
    plain = {"mixup": 0.0, "cutmix": 0.0, "randaugment": 0.0, "random_erasing": 0.0}
    run = gpu_run(corners, epochs=8, flip=False, crop="none", **plain)
    record, state = train_with_network(run, corners, Settings("cuda"))
    assert record.result.accuracy > 0.9
    assert {p.dtype for p in state.network.parameters()} == {torch.float32}
    assert record.environment["device_kind"] == "cuda"


@pytest.mark.parametrize("name", ["resnet50", "convnext-tiny"])
def test_outputs_equal_the_cpus(name):
    network = nx.build(nx.design(name), 10).eval()
    images = torch.randn(2, 3, 96, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        on_cpu = network(images)
        on_gpu = network.cuda()(images.cuda()).cpu()
    assert (on_cpu - on_gpu).norm() / on_cpu.norm() < 1e-4
