"""Will it train? The doctor's sentences on an untrained network."""

from collections.abc import Sequence

from nextify.findings.diagnosis import Symptom

WELL = (
    "Nothing speaks against training: from the first block to the last, neither the signal nor the "
    "gradient vanishes or explodes."
)


def advice(symptoms: Sequence[Symptom]) -> list[str]:
    """A sentence a symptom, with its remedy; one that all is well where there is none."""
    return [_sentence(each) for each in symptoms] or [WELL]


def _sentence(of: Symptom) -> str:
    where = f"block {of.block} of {of.blocks}"
    times = _times(abs(of.amount))
    match of.code:
        case "signal vanishes":
            return (
                f"The signal vanishes: at {where} the variance between images is {times} times "
                "smaller than after the first. Draw larger weights (He's, for ReLU), or add norms."
            )
        case "signal explodes":
            return (
                f"The signal explodes: at {where} the variance between images is {times} times "
                "that after the first. Draw smaller weights, add norms, or start each branch near "
                "0 (layer scale)."
            )
        case "images look alike":
            return (
                f"Images look alike: at {where} all but one part in {times} of the signal is the "
                "same for every image. Draw larger weights and start biases at 0."
            )
        case "gradient vanishes":
            return (
                f"The gradient vanishes: at {where} it is {times} times smaller than at the last, "
                "so that the blocks before it hardly learn. Draw larger weights, or add norms and "
                "skips."
            )
        case "gradient explodes":
            return (
                f"The gradient explodes: at {where} it is {times} times that at the last. Draw "
                "smaller weights, add norms, or clip the gradient and warm up."
            )
        case "blocks asleep":
            return (
                f"Blocks asleep: in {of.amount:.0f} of {of.blocks} blocks, the first of them block "
                f"{of.block}, weights get less than a ten-thousandth of the gradient that others "
                "get. Behind a layer scale near 0 that is meant so: they wake when the scale has "
                "grown, which takes some hundred steps."
            )


def _times(powers: float) -> str:
    """Ten to so many powers, as one digit and zeros; of very many, the powers."""
    return f"10^{powers:.0f}" if powers > 6.5 else f"{float(f'{10**powers:.1g}'):,.0f}"
