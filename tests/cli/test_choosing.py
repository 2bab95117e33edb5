"""choose from the command line: what it leaves, what it says, what it refuses."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nextify.cli.main import main
from nextify.costs.spread import Spread
from nextify.data import load
from nextify.designs import Run
from nextify.network import load_network
from nextify.records import Store
from nextify.studies import Done, Pilot
from nextify.studies.running.messages import Message, Ready
from nextify.studies.running.worker import Orders

from .conftest import changed, contents, make_images

FACTORS = "depthwise conv, BN to LN"
CHOOSE = ("choose", "--params", "200k", "--data", "pets", "--image-size", "28", "epochs=2",
          "batch_size=8", "warmup_epochs=0", "learning_rate=0.003", "--factors", FACTORS,
          "--seeds", "1", "--finalists", "1", "--final-seeds", "2", "--workers", "1", "--no-pilot",
          "--output", "mine")  # fmt: skip


@pytest.fixture(scope="module")
def done_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `pets`, and a choice that nothing interrupted."""
    folder = tmp_path_factory.mktemp("choice")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NEXTIFY_CACHE", str(folder / "cache"))
        make_images(folder / "pets", {"cat": 40, "dog": 40}, learnable=True)
        with Path("out.json").open("w") as file:
            patch.setattr("sys.stdout", file)
            assert main([*CHOOSE, "--json"]) == 0
    return folder


@pytest.fixture
def done(done_once: Path, own_folder: Path) -> Path:
    for name in ("pets", "mine"):
        shutil.copytree(done_once / name, own_folder / name)
    return own_folder / "mine"


def test_what_a_choice_leaves(done_once, done):
    values = json.loads((done_once / "out.json").read_text())
    names = {path.name for path in done.iterdir()}
    assert {"screening.study", "finals.study", "choice.json", "network.safetensors"} <= names
    assert "checkpoint.pt" not in names
    kept = json.loads((done / "choice.json").read_text())
    assert {name: kept[name] for name in values} == values
    winner = next(f for f in values["choice"]["finalists"] if f["standing"] == "chosen")
    assert values["choice"]["winner"] == winner["name"] and winner["params"] <= 200_000
    assert winner["finished"] == 2 and winner["unlearned"] == 0
    assert values["choice"]["chance"]["share"] == 0.5 < winner["mean"] <= 1
    page = Path(values["report"])
    assert page == Path("mine/report/report.html") and (done / "report" / page.name).exists()
    assert values["winner"]["images"] == 80 and values["winner"]["outcome"] == "finished"
    assert (
        "none is left on which its answers could be shown"
        in (done / "report" / page.name).read_text()
    )


def test_the_network_is_the_winner_and_says_what_it_saw(nextify, done):
    network, card = load_network(done / "network.safetensors")
    kept = json.loads((done / "choice.json").read_text())
    winner = next(f for f in kept["choice"]["finalists"] if f["standing"] == "chosen")
    assert sum(p.numel() for p in network.parameters()) == winner["params"]
    assert "no test accuracy can be stated" in card.about["seen"] and "accuracy" not in card.about
    expected = card.about["expected"]
    assert expected["measured"] == winner["mean"] and expected["runs"] == 2
    assert expected["accuracy"] == kept["choice"]["expected"]["value"]
    assert card.about["data"]["train"] == 80
    answer = nextify("predict", "mine", "pets/cat/0.png")
    assert answer.code == 0 and answer.out.startswith("pets/cat/0.png: ")
    scored = nextify("evaluate", "mine", "--data", "pets")
    assert scored.code == 2 and "was trained on all images of 'pets', the test images" in scored.err
    fields = kept["design"]
    counted = json.loads(nextify("cost", *fields, "--image-size", "28", "--classes", "2",
                                 "--json").out)  # fmt: skip
    assert counted["params"] == winner["params"]


def test_the_same_command_again_trains_nothing(nextify, done):
    before = contents()
    answer = nextify(*CHOOSE)
    assert answer.code == 0, answer.err
    kept = {n: b for n, b in contents().items() if not n.endswith(".study")}
    assert kept == {n: b for n, b in before.items() if not n.endswith(".study")}
    assert "Recommended: " in answer.out and "no test accuracy can be stated" in answer.out
    assert "report: mine/report/report.html\n" in answer.out
    assert "over 2 fresh seeds" in answer.out and "% of params" in answer.out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--params", "150k"], "the budget of params is 200000 there and 150000 here"),
        (["--macs", "9M"], "the budget of macs is None there and 9000000 here"),
        (["--image-size", "32"], "'fingerprint' of the data is"),
        (["--final-seeds", "3"], "--final-seeds is 2 there and 3 here"),
        (["epochs=1"], "'epochs': 2"),
    ],
)
def test_another_choice_in_the_same_folder_is_refused(refused, done, change, said):
    message = refused(*changed(CHOOSE, change))
    assert message.startswith("folder mine holds another choice") and said in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ["--params", "2k"],
            "none of the screening's 4 networks can be made narrow enough",
        ),
        (["--params", "many"], "params is 'many'; give a number"),
        (["--data", "./nowhere"], "nowhere"),
        (["--factors", "nothing"], "unknown choice"),
        (["--path", "large"], "unknown path"),
        (["--like", "convnext-tini"], "convnext-tiny"),
        (["--experiment", "path"], "unknown value of --experiment 'path'"),
        (["--experiment", "augmented"], "unknown value of --experiment 'augmented'"),
        (["widths=8,16,32"], "field 'widths' is what the choice"),
        (["--finalists", "0"], "--finalists"),
        (["batch_size=4096"], "batch_size"),
        (["--within", "1h"], "leave out --no-pilot"),
        (["--within", "soon"], "--within is 'soon'; give a time with its unit, as 90min or 2h"),
    ],
)
def test_what_cannot_be_chosen(refused, pets, change, said):
    assert said in refused(*changed(CHOOSE, change))


def test_without_a_budget(refused, pets):
    said = refused("choose", "--data", "pets")
    assert "no budget is given; give --params" in said and "or candidates with --from" in said


def test_the_plan_trains_nothing(nextify, pets):
    before = contents()
    answer = nextify(*CHOOSE, "--plan")
    assert answer.code == 0 and "screening         4     4     ?" in answer.out, answer.out
    values = json.loads(nextify(*CHOOSE, "--plan", "--json").out)
    assert [phase["runs"] for phase in values["phases"]] == [4, 8, 1]
    assert contents() == before


def test_as_much_as_the_time_allows(nextify, pets, monkeypatch):
    pilot = Pilot(cells=1, seconds={"--": 60.0}, fastest="--", slowest="--")
    monkeypatch.setattr("nextify.commands.choosing.piloted", lambda *_: (pilot, 1))
    timed = [*CHOOSE, "--plan"]
    timed.remove("--no-pilot")
    at = timed.index("--finalists")
    del timed[at : at + 2]
    for within, finalists, said in (
        ("1h", 4, "4 finalists by 2 seeds: the whole choice takes about 22.8 min, within 1h\n"),
        ("16min", 2, "2 finalists by 2 seeds: the whole choice takes about 15.4 min, within 16min; "
                     "the most thorough takes 22.8 min\n"),
        ("8min", 2, "by 1 seed for 1/3 of the epochs, 2 finalists by 2 seeds: the whole choice "
                    "takes about 7.8 min, within 8min; the most thorough takes 22.8 min\n"),
    ):  # fmt: skip
        answer = nextify(*timed, "--within", within, "--json")
        settings = json.loads(answer.out)["settings"]
        assert (settings["--finalists"], settings["--final-seeds"]) == (finalists, 2)
        assert said in answer.err
    assert settings["--shorten"] == 3
    answer = nextify(*timed, "--within", "90s")
    assert answer.code == 2 and answer.out == ""
    assert answer.err.endswith(
        "nextify: --within is 90s, and the least that this choice takes is about 7.8 min; give "
        "that, or less to do: epochs=N, --train-limit N, fewer --factors\n"
    )


def test_candidates_have_no_screening_to_shorten(refused, pets):
    given = ("choose", "--from", "resnet-small,convnext-mini", "--data", "pets", "--shorten", "3")
    assert "--shorten is for designs that are made for a budget" in refused(*given)


def test_a_network_is_tested_on_images_that_chose_nothing(nextify):
    """With val/ beside test/ these images judge screening and finals."""
    for at, (split, count) in enumerate({"train": 40, "val": 20, "test": 12}.items()):
        make_images(
            Path("pets") / split, {"cat": count, "dog": count}, side=12 + at, learnable=True
        )
    answer = nextify(*CHOOSE)
    assert answer.code == 0, answer.err
    assert "finals: judged by held-out images, too (those in val/)" in answer.err
    kept = json.loads(Path("mine/choice.json").read_text())
    assert kept["settings"]["--hold-out"] is True and kept["command"].endswith("--hold-out")
    assert (kept["winner"]["images"], kept["winner"]["tested"]) == (120, 24)
    _, card = load_network(Path("mine/network.safetensors"))
    assert card.about["accuracy"] == kept["winner"]["accuracy"]
    assert card.about["data"]["train"] == 120 and card.about["data"]["test"] == 24
    said = "On 24 test images, which had no part in choosing it, the network is right about "
    said += f"{100 * kept['winner']['accuracy']:.2f} % (95 % interval "
    page = Path("mine/report/report.html").read_text()
    assert said in answer.out and said in page and 'href="network/report.html"' in page
    shown = json.loads(Path("mine/report/network/report.json").read_text())
    assert (shown["images"], shown["accuracy"]) == (24, kept["winner"]["accuracy"])
    assert shown["worth"] is None
    for name in ("screening", "finals"):
        with Store.open(Path(f"mine/{name}.study"), create=False) as store:
            plan = store.plan()
            assert plan.held_out and (plan.data["train"], plan.data["test"]) == (80, 40)
    again = nextify(*CHOOSE)
    assert again.code == 0 and again.out == answer.out
    scored = nextify("evaluate", "mine", "--data", "pets", "--json")
    assert json.loads(scored.out)["accuracy"] == kept["winner"]["accuracy"]
    assert "may be among its training images" not in scored.err


def test_none_learned_anything(nextify, pets):
    """Of noise nothing can be learned."""
    answer = nextify(*changed(CHOOSE, ["epochs=1"]))
    assert answer.code == 1 and answer.out.startswith("no design can be chosen")
    assert "All 4 finished runs learned nothing" in answer.err and "50.00 %" in answer.err
    assert not Path("mine/finals.study").exists()


def test_all_diverged(nextify, pets):
    answer = nextify(*changed(CHOOSE, ["learning_rate=1e30"]))
    assert answer.code == 1 and answer.out.startswith("no design can be chosen")
    assert "not finite" in answer.err and not Path("mine/finals.study").exists()


RACE = ("choose", "--from", "convnext-mini,resnet-small", "--data", "pets", "--image-size", "16",
        "epochs=1", "batch_size=8", "warmup_epochs=0", "--finalists", "2", "--final-seeds", "2",
        "--workers", "1", "--no-pilot")  # fmt: skip


def test_candidates_race_from_the_command_line(nextify, refused, own_folder):
    few, many = {"cat": 8, "dog": 8}, {"cat": 20, "dog": 20}
    make_images(Path("pets/train"), few, learnable=True)  # so few that the race has one lap
    make_images(Path("pets/test"), many, learnable=True)
    answer = nextify(*RACE, "--json")
    assert answer.code == 0, answer.err
    values = json.loads(answer.out)
    folder = Path("runs/choose-pets-convnext-mini-resnet-small")
    assert values["folder"] == str(folder)
    race = values["choice"]["race"]
    assert [each["name"] for each in race] == ["convnext-mini", "resnet-small"]
    assert all(list(each["laps"]) == ["8"] and each["in_finals"] for each in race)
    assert values["winner"]["outcome"] == "finished" and values["winner"]["images"] == 56
    studies = {"rates.study", "race.study", "finals.study"}
    assert studies <= {path.name for path in folder.iterdir()}
    assert 'id="race"' in Path(values["report"]).read_text()
    # Finals of candidates and of designs for a budget have one name: they are not mixed.
    message = refused(*changed(CHOOSE, ["--output", str(folder)]))
    assert message.startswith(f"folder {folder} holds another choice")


class InThisProcess:
    """A crew of one, for whom no process has to start."""

    seats = 1

    def __init__(self, how: object, file: Path | None = None) -> None:
        self.said: list[Message] = []

    def hire(self, seat: int, orders: Orders) -> None:
        self.orders, self.images = orders, load(orders.setup.spec)
        self.said.append(Ready({}))

    def place(self, seat: int) -> str:
        return "here"

    def give(self, seat: int, runs: tuple[Run, ...]) -> None:
        self.said += map(Done, self.orders.trained(runs, self.images, lambda *_: None))

    def listen(self, seconds: float) -> Iterator[tuple[int, Message]]:
        said, self.said = self.said, []
        yield from ((0, message) for message in said)

    def dismiss(self) -> None:
        pass


def test_a_race_goes_on_by_the_same_command(nextify, monkeypatch):
    """Interrupted among the rates, in the second lap and in the finals."""
    for split, count in (("train", 40), ("test", 8)):
        make_images(Path("pets") / split, {"cat": count, "dog": count}, learnable=True)
    monkeypatch.setattr("nextify.commands.studying.crew_of", InThisProcess)
    race = (*RACE, "--final-seeds", "3", "--json", "--output")  # fewer than it has by itself
    whole = nextify(*race, "whole")
    assert whole.code == 0, whole.err
    add, added = Store.add, Counter[str]()

    def interrupted(store: Store, *record: object) -> None:
        add(store, *record)
        added[store.path.name] += 1
        if (store.path.name, added[store.path.name]) in stops:
            raise KeyboardInterrupt

    monkeypatch.setattr(Store, "add", interrupted)
    stops = [("rates.study", 2), ("race.study", 5), ("finals.study", 1)]
    for name, _ in stops:
        stopped = nextify(*race, "mine")
        assert stopped.code == 130 and f"in mine/{name}" in stopped.err, stopped.err
    ends = [whole, nextify(*race, "mine"), nextify(*race, "mine")]
    answers = [json.loads(end.out)["choice"] for end in ends]
    for choice in answers:
        assert len(choice["race"][0]["laps"]) == 2
        for each in choice["finalists"]:
            del each["seconds"]
    assert answers[0] == answers[1] == answers[2]
    assert added == {"rates.study": 6, "race.study": 8, "finals.study": 6}  # each run once
    mine, expected = (load_file(f"{folder}/network.safetensors") for folder in ("mine", "whole"))
    assert all(torch.equal(tensor, expected[name]) for name, tensor in mine.items())


def test_latencies_of_what_was_refused_are_not_those_of_what_is_asked_next(
    nextify, pets, monkeypatch
):
    for size, took in (("32", 0.009), ("16", 0.008)):
        monkeypatch.setattr(
            "nextify.measuring.measure_latency",
            lambda designs, took=took, **of: [Spread(took, took, took, 9)] * len(designs),
        )
        answer = nextify(*RACE, "--image-size", size, "--latency", "1ms")
        assert answer.code == 2
        assert f"the fastest candidate takes {1000 * took:g} ms" in answer.err


def test_a_race_leaves_a_choice_within_a_budget_alone(refused, done):
    before = contents()
    message = refused(*RACE, "--output", "mine")
    assert message.startswith("folder mine holds another choice") and contents() == before
