"""`nextify scale sequence`: a next-word model with attention and with recurrence."""

from nextify.cli.scaling import answer, draw, places, refuse
from nextify.cli.show import note
from nextify.report.scaling import sequence_words as words
from nextify.requests import ScaleSequence
from nextify.scaling.sequence.settings import Kind, Settings

_NOTED = 5  # epochs between two notes


def run(request: ScaleSequence, as_json: bool) -> int:
    """Carry out the command."""
    settings = Settings() if request.epochs is None else Settings(epochs=request.epochs)
    if request.say is not None:
        return _speak(request.say, request, settings, as_json)
    save, folder = places(request.save, request.figure)
    from nextify.scaling.sequence.experiment import SIZES, measure_sequence

    found = measure_sequence(
        settings,
        seeds=request.seeds,
        rounds=request.rounds,
        threads=request.threads,
        save=save,
        progress=_progress,
        on_timing=lambda: note(f"time per training step over {SIZES[0]} to {SIZES[-1]} tokens ..."),
    )
    if folder:
        from nextify.report.scaling.sequence_figure import sequence_figure

        draw([sequence_figure(found)], folder)
    return answer(found, as_json, words.sequence_values, words.sequence_in_words)


def _speak(text: str, request: ScaleSequence, settings: Settings, as_json: bool) -> int:
    """Train both models once and let them go on with the given words."""
    refuse(request, ("seeds", "rounds", "save", "figure"), "--say")
    from nextify.scaling.sequence.experiment import spoken

    found = spoken(settings, text, threads=request.threads, progress=_progress, on_unknown=_unknown)
    return answer(found, as_json, dict, lambda said: words.said_in_words(said.items()))


def _unknown(unknown: dict[str, list[str]], count: int) -> None:
    for line in words.unknown_in_words(unknown, count):
        note(line)


def _progress(kind: Kind, seed: int, epoch: int, perplexity: float) -> None:
    if epoch % _NOTED == 0:
        note(f"{kind}, seed {seed}, epoch {epoch}: validation perplexity {perplexity:.1f}")
