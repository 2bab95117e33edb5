"""The race: which of some candidates, pre-trained or not, is the best on these images.

Three studies in one folder: of learning rates, of laps on more and more images, and the finals.
Nothing else is kept: who has left and at which rate is read off the records again, so that after an
interrupt the same call goes on. The finalists are fixed by the file of the finals once it is there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nextify.costs.spread import Spread
from nextify.errors import InputError
from nextify.files import is_there
from nextify.findings.choice import choose_raced
from nextify.findings.race import Racer, departures, finalists, is_over
from nextify.findings.scores import grid, scores
from nextify.findings.tuning import suited_rate
from nextify.records import Cell, Plan, Record, Store
from nextify.requests import Choose, Compare
from nextify.studies.kinds.choosing import FINALS, Outcome
from nextify.studies.kinds.comparison import RECIPE, Network, networks_of, plan_comparison
from nextify.studies.kinds.efforts import Effort, Name, Phase, effort_of, settled_effort
from nextify.studies.kinds.finalists import fresh
from nextify.studies.kinds.kind import Asked, Stacks, plan_there
from nextify.studies.kinds.settle import settled
from nextify.studies.running.cards import MOST_COPIES
from nextify.studies.running.pilot import Pilot
from nextify.studies.running.summary import Summary
from nextify.words import seconds_in_words

RATES, RACE = "rates.study", "race.study"
GRID = (0.3, 1.0, 3.0)  # multiples of each recipe's learning rate
BEYOND = {0.3: 0.1, 3.0: 10.0}  # tried, too, where an end of the grid suits best
ALL_RATES = (0.1, *GRID, 10.0)
PARTS = (0.125, 0.25, 0.5)  # of the training images, a lap each
LEAST = 4  # images a class on a lap
SEEDS = (1, 2)  # of the race; rates are chosen by seed 0

Study = tuple[Plan, Sequence[Record]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Race:
    """A race to be run.

    Attributes:
        networks: the candidates.
        shared: what the plans of rates and laps take from their images (`Asked.shared`).
        data, largest_class: of the finals. stacks: of these.
        request: what was asked for. latencies: seconds by name, where they were measured.
    """

    networks: tuple[Network, ...]
    shared: Mapping[str, Any]
    data: Mapping[str, Any]
    largest_class: float | None
    request: Choose
    stacks: Stacks = field(default_factory=Stacks)
    latencies: Mapping[str, Spread] = field(default_factory=dict)

    @property
    def effort(self) -> Effort:
        """How many go to the finals, and with how many seeds."""
        return effort_of(self.request)

    @property
    def laps(self) -> tuple[int, ...]:
        """Numbers of training images, ascending."""
        return laps_of(self.shared["data"])


def laps_of(data: Mapping[str, Any]) -> tuple[int, ...]:
    """Of so many training images in so many classes.

    >>> laps_of({"train": 800, "classes": 5}), laps_of({"train": 80, "classes": 5})
    ((100, 200, 400), (20, 40))
    """
    images = int(data["train"])
    least = min(images, LEAST * int(data["classes"]))
    return tuple(sorted({max(least, round(images * part)) for part in PARTS}))


def race_of(asked: Asked, data: Mapping[str, Any], largest_class: float | None) -> Race:
    """The race that a request asks for: each candidate with the recipe that suits it.

    Args:
        asked: with the images of the race. data, largest_class: of the finals.

    Raises:
        InputError: as `read_networks` does; an option that is of choices and not of candidates.
    """
    request, images = asked.request, asked.images.identity()
    assert isinstance(request, Choose) and request.candidates is not None
    _require_alone(request)
    words, laps = (*request.changes, *_listed(request)), ",".join(map(str, laps_of(images)))
    compared = Compare(networks=words, recipe=request.recipe, images=laps)
    compared = settled(compared, int(images["train"]), int(images["image_size"]))
    return Race(
        networks=tuple(networks_of(compared, asked.images.classes)),
        shared=asked.shared,
        data=data,
        largest_class=largest_class,
        request=settled_effort(request, asked.there),
        stacks=replace(asked.stacks, there=None),
    )


def _listed(request: Choose) -> list[str]:
    """The words of `--from`: candidates, each with recipe=NAME behind it where it has its own."""
    words = [word.strip() for word in str(request.candidates).split(",")]
    if not all(words):
        raise InputError(f"--from is {request.candidates!r}; give names or files, as a,b")
    for text in request.changes:
        if "=" not in text:
            raise InputError(f"{text!r} stands outside --from, where FIELD=VALUE is for all "
                             f"candidates; write --from {request.candidates},{text}")  # fmt: skip
    for word in words:
        if "=" in word and not word.startswith(RECIPE) and not is_there(Path(word)):
            raise InputError(f"--from has {word!r}, and of a candidate there only recipe=NAME can "
                             "be given; a field is for all of them: write it after the list, as "
                             "--from a,b epochs=20")  # fmt: skip
    return words


def _require_alone(request: Choose) -> None:
    """Check that nothing is asked for that only a screening of choices has."""
    usual = Choose()
    for name in ("budgets", "path", "experiment", "factors", "seeds", "shorten", "reshaped"):
        if getattr(request, name) != getattr(usual, name):
            option = "params, --macs, --activation-memory or --like" if name == "budgets" else name
            raise InputError(
                f"--{option} is for designs that are made for a budget, and --from names "
                "candidates as they are; leave one of them out (--latency goes with both)"
            )


def plan_rates(race: Race, more: Mapping[str, float] | None = None) -> Plan:
    """Every candidate at every rate, with one seed, on the images of the last lap.

    Args:
        more: a further rate, by the name of its candidate.
    """
    rates = {each.name: (*GRID, *_some((more or {}).get(each.name))) for each in race.networks}
    networks = [each.at_rate(rate) for each in race.networks for rate in rates[each.name]]
    plan = plan_comparison(
        networks, seeds=(min(SEEDS) - 1,), images=race.laps[-1:], held_out=True, **race.shared
    )
    return replace(plan, title=f"Learning rates of candidates on {plan.data['name']}")


def _some(rate: float | None) -> tuple[float, ...]:
    return () if rate is None else (rate,)


def tuned(race: Race, rates: Study) -> dict[str, float]:
    """The rate that suits each candidate."""
    return {name: suited_rate(found, int(rates[0].data["test"]))
            for name, found in _tried(race, rates).items()}  # fmt: skip


def _tried(race: Race, rates: Study) -> dict[str, dict[float, float | None]]:
    """Of each candidate the accuracy at each rate, ascending."""
    seen = {name: mean for (name, _), mean in _means(rates).items()}
    return {
        each.name: {rate: seen[name] for rate in ALL_RATES
                    if (name := each.at_rate(rate).name) in seen}
        for each in race.networks
    }  # fmt: skip


def beyond(race: Race, rates: Study) -> dict[str, float]:
    """The rate to try next of candidates whose rate is at an end of the grid."""
    best = tuned(race, rates)
    return {name: BEYOND[rate] for name, rate in best.items() if rate in BEYOND}


def at_rates(race: Race, rates: Mapping[str, float]) -> dict[str, Network]:
    """The candidates at their rates, under their own names."""
    return {each.name: replace(each.at_rate(rates[each.name]), name=each.name)
            for each in race.networks}  # fmt: skip


def plan_laps(race: Race, laps: Sequence[Sequence[Network]]) -> Plan:
    """The candidates that run each of the first laps."""
    plans = [
        plan_comparison(networks, seeds=SEEDS, images=(number,), held_out=True, **race.shared)
        for networks, number in zip(laps, race.laps, strict=False)
    ]
    cells = tuple(cell for plan in plans for cell in plan.cells)
    return replace(plans[0], cells=cells, title=f"A race on {plans[0].data['name']}")


def plan_finals(race: Race, networks: Sequence[Network]) -> Plan:
    """The finalists, on all training images, with seeds that no run before had."""
    stacks, seeds = race.stacks, race.effort.final_seeds
    plan = plan_comparison(
        networks,
        seeds=fresh(max(SEEDS) + 1, seeds, min(stacks.most, MOST_COPIES)),
        stacks=stacks,
        held_out=race.request.hold_out,
        **{**race.shared, "data": race.data, "largest_class": race.largest_class},
    )
    cells = tuple(replace(cell, name=cell.network) for cell in plan.cells)
    return replace(plan, cells=cells, title=f"Finals on {plan.data['name']}")


def carry_out_race(race: Race, folder: Path, run: Callable[[Plan, Path], Summary]) -> Outcome:
    """Carry out all three studies, as far as they are not recorded, and choose.

    Args:
        folder: that there is, for the study files.
        run: trains what a study file does not have of a plan, as `execute` does.

    Raises:
        InputError: as `execute` does.
        Interrupted: by Ctrl-C.
    """
    studies: dict[str, Study] = {}
    summaries: dict[str, Summary] = {}

    def done(plan: Plan, name: str) -> Study:
        key, plan = name.removesuffix(".study"), plan.asked_by(race.request)
        summaries[key] = run(plan, folder / name)
        with Store.open(folder / name, create=False) as store:
            studies[key] = plan, store.records()
        return studies[key]

    rates = done(plan_rates(race), RATES)
    if more := beyond(race, rates):
        rates = done(plan_rates(race, more), RATES)
    best = tuned(race, rates)
    networks, most = at_rates(race, best), race.effort.finalists
    left, laps, gone = list(networks), list[list[Network]](), dict[str, int | None]()
    while not is_over(len(laps), len(race.laps), len(left), most):
        laps.append([networks[name] for name in left])
        gone = departures(*done(plan_laps(race, laps), RACE), int(race.data["train"]))
        left = [name for name, number in gone.items() if number is None]
    chosen = _finalists(race, studies["race"], left)
    plan = plan_there(folder / FINALS) or plan_finals(race, [networks[name] for name in chosen])
    finals = done(plan, FINALS)
    racers = _racers(race, studies, best, gone)
    return Outcome(choose_raced(finals, racers), studies, tuple(summaries.values()))


def _finalists(race: Race, laps: Study, left: Sequence[str]) -> list[str]:
    """The names of who goes to the finals."""
    names, found = [each.name for each in race.networks], _means(laps)
    last = max(laps[0].images_of(cell) for cell in laps[0].cells)
    means = np.array([found.get((name, last)) or np.nan for name in names])
    took, macs = race.latencies, {cell.network: float(cell.macs) for cell in laps[0].cells}
    costs = [took[name].median if name in took else macs[name] for name in names]
    still = [names.index(name) for name in left]
    return [names[at] for at in finalists(means, still, costs, race.effort.finalists)]


def _means(study: Study) -> dict[tuple[str, int], float | None]:
    """Mean accuracy of each network on each number of images; None without a score."""
    plan, values = study[0], scores(grid(*study))
    return {
        (cell.network, plan.images_of(cell)): float(np.nanmean(row))
        if np.isfinite(row).any()
        else None
        for cell, row in zip(plan.cells, values, strict=True)
    }


def _racers(
    race: Race,
    studies: Mapping[str, Study],
    best: Mapping[str, float],
    gone: Mapping[str, int | None],
) -> list[Racer]:
    tried, seen = _tried(race, studies["rates"]), _means(studies["race"])
    final = {cell.network for cell in studies["finals"][0].cells}
    return [
        Racer(
            name=each.name,
            initial=each.initial,
            rates=tried[each.name],
            rate=best[each.name],
            laps={number: mean for (name, number), mean in seen.items() if name == each.name},
            left=gone[each.name],
            in_finals=each.name in final,
            latency=race.latencies.get(each.name),
        )
        for each in race.networks
    ]


def phases_of(race: Race, pilot: Pilot | None, workers: int, images: int) -> tuple[Phase, ...]:
    """What the whole choice will take, at most.

    Args:
        pilot: of `plan_rates`. workers: runs side by side. images: that the winner is trained on.
    """
    plan, count = plan_rates(race), len(race.networks)
    finals = min(count, race.effort.finalists)
    laps = race.laps[:2] if count <= finals else race.laps
    runs = (plan.count, count * len(laps) * len(SEEDS), finals * race.effort.final_seeds, 1)
    names: tuple[Name, ...] = ("rates", "race", "finals", "winner")
    times: list[float | None] = [None] * len(names)
    if pilot is not None:
        every = sorted(_seconds(race, plan.cells, pilot), reverse=True)  # of an image, all epochs
        last, whole = race.laps[-1], int(race.data["train"])
        work = (  # and the longest run, in images
            (sum(every) * plan.count / count * last, last),
            (sum(every) * len(SEEDS) * sum(laps), laps[-1]),
            (sum(every[:finals]) * race.effort.final_seeds * whole, whole),
            (every[0] * images, images),
        )
        times = [max(total / workers, every[0] * longest) for total, longest in work]
    networks = (count, count, finals, 1)
    return tuple(Phase(*each) for each in zip(names, networks, runs, times, strict=True))


def _seconds(race: Race, cells: Sequence[Cell], pilot: Pilot) -> list[float]:
    """Seconds of a run of each candidate, by the training image."""
    mean = sum(pilot.seconds.values()) / len(pilot.seconds)
    usual = {each.at_rate(1.0).name for each in race.networks}
    return [pilot.seconds.get(c.name, mean) / race.laps[-1] for c in cells if c.network in usual]


def race_settings(race: Race) -> dict[str, Any]:
    """All that makes one race another one, in words; plain values, as JSON gives them back."""
    request = race.request
    return {
        **{f"{name!r} of the data": value for name, value in race.data.items()},
        "the candidates": ", ".join(map(_told, race.networks)),
        "the latency": request.latency,
        "--finalists": request.finalists,
        "--final-seeds": request.final_seeds,
        **({"--hold-out": True} if request.hold_out else {}),
        "the precision": race.shared["precision"],
        "what is changed of designs and recipes": " ".join(request.changes),
    }


def _told(network: Network) -> str:
    start = network.initial
    weights = "" if start is None else f" from weights {start.fingerprint[:12]}"
    return f"{network.name} ({network.recipe_name}{weights})"


def without_slow(race: Race, latencies: Mapping[str, Spread], allowed: float) -> Race:
    """The candidates that answer in time.

    Raises:
        InputError: none does.
    """
    kept = tuple(each for each in race.networks if latencies[each.name].median <= allowed)
    if not kept:
        fastest = min(latencies.values(), key=lambda took: took.median)
        raise InputError(
            f"--latency is {race.request.latency}, and the fastest candidate takes "
            f"{seconds_in_words(fastest.median)}; give at least that, a smaller image, or others"
        )
    return replace(race, networks=kept, latencies={n.name: latencies[n.name] for n in kept})
