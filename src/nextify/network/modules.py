"""The modules of a network. Maps are (N, C, H, W), in channels_last memory where that is faster."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextify.blueprint import specs
from nextify.errors import InputError
from nextify.network import kernels
from nextify.network.depthwise import DepthwiseConv2d

LARGE_MAP = 10_000_000  # multiply-accumulates for one image


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each position: (N, C, H, W) to the same.

    In channels_last memory the permutations are views, and `F.layer_norm` reads rows of channels.
    On a GPU it is one kernel, which normalises in float32, and under autocast puts out bfloat16.
    """

    def forward(self, x: Tensor) -> Tensor:
        if kernels.fuses(x):
            return kernels.layer_norm(x, self.weight, self.bias, self.eps)
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class PointwiseConv2d(nn.Conv2d):
    """A 1 x 1 `nn.Conv2d`; on a CPU, and in bfloat16 on a GPU, computed as the matrix product that
    it is.

    In channels_last memory a map is a matrix of positions by channels, and the plain product saves
    the convolution's set-up: training small networks is 7 to 16 % faster (benchmarks/pointwise.py).
    Where no gradient is needed, torch's convolution of a large map is as fast or faster: it takes
    half to all of the product's time on ResNet-50's maps in batches of 16. What is large is asked
    of one image, so that the operator does not change with the batch.
    In float32 a GPU computes the two with different precision, and stays with the convolution.

    Shape: (N, C, H, W) to (N, C', ceil(H / stride), ceil(W / stride)).
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self._is_product(x):
            return super().forward(x)
        down, across = self.stride
        positions = x[:, :, ::down, ::across].permute(0, 2, 3, 1)
        return F.linear(positions, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)

    def _is_product(self, x: Tensor) -> bool:
        if x.device.type != "cpu":
            return kernels.narrow(x)
        height, width = (-(-side // by) for side, by in zip(x.shape[2:], self.stride, strict=True))
        macs = height * width * self.in_channels * self.out_channels
        return torch.is_grad_enabled() or macs < LARGE_MAP


class PatchConv2d(nn.Conv2d):
    """An `nn.Conv2d` of patches that do not overlap; on a CPU trained as the matrix product that
    it is: torch's gradients of the convolution take 1.3 to 2 times as long.

    Shape: (N, C, H, W) to (N, C', H // stride, W // stride).
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(x)
        side = self.stride[0]
        count, channels, height, width = x.shape
        down, across = height // side, width // side
        whole = x[:, :, : down * side, : across * side].permute(0, 2, 3, 1)
        lines = whole.reshape(count, down, side, across, side * channels)
        patches = lines.transpose(2, 3).reshape(count, down, across, -1)
        weight = self.weight.permute(0, 2, 3, 1).flatten(1)
        return F.linear(patches, weight, self.bias).permute(0, 3, 1, 2)


class Gelu(nn.GELU):
    """GELU, worked out in the order of channels_last memory: (N, C, H, W) to the same.

    The permutations are views; torch's operator takes 1.8 times as long on a CPU without them.
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Scale(nn.Module):
    """Layer scale: a learned factor per channel (arXiv 2103.17239): (N, C, H, W) to the same."""

    def __init__(self, channels: int, initial: float) -> None:
        super().__init__()
        self.initial = initial
        self.weight = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight.view(-1, 1, 1)


class ResponseNorm2d(nn.Module):
    """Global response normalisation (arXiv 2301.00808, section 3.2): (N, C, H, W) to the same.

    x + weight * (x * n) + bias, where n is a channel's L2 norm over all positions, divided by the
    mean of these norms over the channels. The sum of squares of a large map leaves float16's range,
    so the norm is taken in float32 whatever the input's type.
    """

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)
        norm = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True, dtype=wide)  # (N, C, 1, 1)
        relative = norm / (norm.mean(1, keepdim=True) + self.eps)
        gain = 1 + self.weight.view(-1, 1, 1).to(wide) * relative
        return torch.addcmul(self.bias.view(-1, 1, 1).to(wide), x.to(wide), gain).to(x.dtype)


class Draws:
    """Uniform numbers for one step, drawn from a generator before it instead of in it: a step that
    is captured and replayed finds them in one place.

    Whoever asks gets them in turn, `begin` goes back to the first. On a CPU they are the numbers
    that the generator would have given to the same questions. Until the questions of one step are
    `counted`, the answers are zeros, and the generator stays where it is.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator
        self._numbers: Tensor | None = None  # (questions of a step, N)
        self._asked = self._count = 0

    def begin(self) -> None:
        """The next question is a step's first one."""
        self._asked = 0

    def counted(self) -> None:
        """A step has ended: later ones ask as often."""
        if self._numbers is None:
            device = self.generator.device
            self._numbers = torch.zeros(self._asked, self._count, device=device)

    def refill(self) -> None:
        """New numbers for a step."""
        assert self._numbers is not None
        self._numbers.uniform_(generator=self.generator)

    def take(self, count: int) -> Tensor:
        """The answer to the next question, (count,)."""
        self._asked, self._count = self._asked + 1, count
        if self._numbers is None:
            return torch.zeros(count, device=self.generator.device)
        return self._numbers[self._asked - 1]


class PartOfDraws:
    """Uniform numbers for some images of a batch: those that they would get in the whole batch."""

    def __init__(self, generator: torch.Generator, batch: int, part: Tensor) -> None:
        self.generator, self.batch = generator, batch
        self.part = part.to(generator.device)

    def take(self, count: int) -> Tensor:
        """The answer to the next question, (count,), where as many images are the part."""
        assert count == len(self.part)
        everyones = torch.rand(self.batch, generator=self.generator, device=self.generator.device)
        return everyones[self.part]


Source = torch.Generator | Draws | PartOfDraws | None


def uniform(count: int, source: Source, device: torch.device) -> Tensor:
    """Uniform numbers from [0, 1), (count,); without a source from torch's global generator."""
    if isinstance(source, Draws | PartOfDraws):
        return source.take(count)
    return torch.rand(count, generator=source, device=device)


class StochasticDepth(nn.Module):
    """Drop a block's whole branch, for each image by itself (arXiv 1603.09382).

    In training, an image's branch is set to zero with `probability`, and scaled by
    1 / (1 - probability) otherwise. Draws come from `generator`; None is torch's global one.

    Shape: (N, ...) to the same.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.generator: Source = None

    def forward(self, x: Tensor) -> Tensor:
        factors = self.factors(x, x.dtype)
        return x if factors is None else x * factors

    def factors(self, x: Tensor, dtype: torch.dtype) -> Tensor | None:
        """What the images of x are multiplied by, (N, 1, ...), drawn; None: by nothing."""
        if not self.training or self.probability == 0.0:
            return None
        keep = 1.0 - self.probability
        draw = uniform(len(x), self.generator, x.device).view(-1, *[1] * (x.ndim - 1))
        return (draw < keep).to(dtype) / keep


class ResidualBlock(nn.Module):
    """after(shortcut(x) + drop(branch(x))): (N, C, H, W) to (N, C', H', W').

    Where no gradient is needed, the sum takes the place of the branch's output. On a GPU, layer
    scale, drop and sum are one kernel, and in bfloat16 ConvNeXt's block is one function. None of
    it where somebody listens to a module that would not run by itself then, or may keep its output.
    """

    def __init__(
        self, branch: nn.Module, shortcut: nn.Module, after: nn.Module, drop_probability: float
    ) -> None:
        super().__init__()
        self.branch, self.shortcut = branch, shortcut
        self.drop, self.after = StochasticDepth(drop_probability), after

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.after(self._joined(x) if self._fuses(x) else self._sum(x))
        return y

    def _sum(self, x: Tensor) -> Tensor:
        shortcut, y = self.shortcut(x), self.drop(self.branch(x))
        if torch.is_grad_enabled() or y.dtype != shortcut.dtype or self._is_heard():
            return shortcut + y  # type: ignore[no-any-return]
        return y.add_(shortcut)  # type: ignore[no-any-return]

    def _is_heard(self) -> bool:
        return _heard([self.branch, self.drop, *self.branch.children()])

    def _fuses(self, x: Tensor) -> bool:
        if not kernels.fuses(x) or self._is_heard():
            return False
        return isinstance([*self.branch.children()][-1], Scale)

    def _joined(self, x: Tensor) -> Tensor:
        y, (*layers, scale) = x, self.branch.children()
        assert isinstance(scale, Scale)
        if parameters := self._as_one(x):
            assert isinstance(layers[1], ChannelNorm)
            factors = self.drop.factors(x, torch.float32)
            return kernels.block(x, parameters, layers[1].eps, factors)
        for layer in layers:
            y = layer(y)
        factors = self.drop.factors(y, torch.float32)
        return kernels.add_scaled(self.shortcut(x), y, scale.weight, factors)

    def _as_one(self, x: Tensor) -> list[Tensor] | None:
        """The parameters of a block that `kernels.block` computes; None: it does not."""
        match list(self.branch.children()):
            case [DepthwiseConv2d(stride=(1, 1)) as mix, ChannelNorm(),
                  PointwiseConv2d(stride=(1, 1)), Gelu(), PointwiseConv2d(stride=(1, 1)), Scale()
            ]:  # fmt: skip
                parameters: list[Tensor] = [*self.branch.parameters()]
            case _:
                return None
        plain = isinstance(self.shortcut, nn.Sequential) and len(self.shortcut) == 0
        known = plain and not _heard([self.shortcut]) and len(parameters) == 9  # with all biases
        return parameters if known and kernels.serves_block(x, mix.kernel_size[0]) else None


def _heard(modules: Iterable[nn.Module]) -> bool:
    """Whether somebody listens to one of these modules."""
    return any(
        one._forward_hooks or one._forward_pre_hooks
        or one._backward_hooks or one._backward_pre_hooks
        for one in modules
    )  # fmt: skip


class Classifier(nn.Linear):
    """Logits from pooled channels: (N, C, 1, 1) to (N, classes)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.flatten(1), self.weight, self.bias)


class Network(nn.Module):
    """A network built from a blueprint, which it keeps: images (N, 3, H, W) to logits (N, classes).
    A stage has two parts: `downsample`, what leads to it, and its `blocks`."""

    def __init__(
        self,
        blueprint: specs.Blueprint,
        stem: nn.Module,
        stages: list[nn.Sequential],
        head: nn.Module,
    ) -> None:
        super().__init__()
        self.blueprint = blueprint
        self.stem, self.stages, self.head = stem, nn.Sequential(*stages), head

    def forward(self, images: Tensor) -> Tensor:
        x = images.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.head(self.stages(self.stem(x)))
        return logits

    def use_generator(self, generator: Source) -> None:
        """Let stochastic depth draw from this generator (on the network's device)."""
        for module in self.modules():
            if isinstance(module, StochasticDepth):
                module.generator = generator


def network_in(module: nn.Module) -> Network:
    """A network itself, or the one in what wraps it, as `nn.DataParallel` and `torch.compile` do.

    Raises:
        InputError: there is none in it, or more than one.
    """
    found = [inside for inside in module.modules() if isinstance(inside, Network)]
    if len(found) != 1:
        raise InputError(
            f"a {type(module).__name__} with {len(found) or 'no'} networks of nextify in it is "
            "given; give the network"
        )
    return found[0]
