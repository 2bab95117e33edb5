"""Which images a network has seen in training, by its card: what it can be scored on."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from nextify.data import Dataset
from nextify.data.dataset import told_together
from nextify.designs.run import same_images
from nextify.errors import InputError
from nextify.network import Card
from nextify.network.weights.convert import own_card
from nextify.network.weights.source import open_weights

_SAW = ("whole", "images", "data")  # fields of a card's `about` that tell it


def draw_of(dataset: Dataset) -> dict[str, Any]:
    """How test images were drawn, for a network's card, so that it can be scored on what it has not
    seen; nothing where they were not."""
    origin = dataset.origin
    if origin.split_seed is None:
        return {}
    drawn = {"content": origin.content, "split_seed": origin.split_seed}
    drawn |= {"test": told_together(dataset.test), "held_out": origin.held_out}
    return {"images": drawn}


def seen_in(dataset: Dataset, *, test_seen: bool) -> dict[str, Any]:
    """What a network has seen that is trained on all images or on all but the test images, for its
    card, so that it is scored on no others."""
    origin, test = dataset.origin, told_together(dataset.test)
    return {"whole": {"content": origin.content, "test": test, "test_seen": test_seen}}


def saw(about: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a network has seen, and what the weights have that it started from, the network first;
    of its card's `about`, for that of another that starts from it."""
    return [{key: about[key] for key in _SAW if key in about}, *about.get("weights_saw", ())]


def split_seed_of(card: Card, content: str) -> int | None:
    """The seed that drew the test images of a folder when a network, or the weights that it
    started from, was trained on the others; None where none was."""
    for each in saw(card.about):
        match each.get("images"):
            case {"content": of, "split_seed": int(seed)} if of == content:
                return seed
    return None


def has_seen_tested(about: Mapping[str, Any], dataset: Dataset) -> bool:
    """Whether test images were among those that a network, or the weights that it started from,
    was trained on, as far as its card tells."""
    return any(_tested(each, dataset) for each in saw(about))


def _tested(each: Mapping[str, Any], dataset: Dataset) -> bool:
    origin, here = dataset.origin, dataset.origin.content or None
    test_told = partial(told_together, dataset.test)
    match each.get("whole"):
        case {"test_seen": True, "content": of, "test": tested} if here == of or (
            tested == test_told()
        ):
            return True
        case {"test_seen": False, "content": of, "test": tested} if here == of:
            return bool(tested != test_told())
    match each.get("images"):
        case {"content": of, "split_seed": seed, **more} if here == of and "whole" not in each:
            if origin.split_seed is None:
                return False
            if more.get("held_out", origin.held_out) != origin.held_out:
                return origin.held_out  # or the test images, which were neither
            # By their places among the names the seed draws others where files were renamed.
            return seed != origin.split_seed or more.get("test", test_told()) != test_told()
    return False


def require_unseen(card: Card, dataset: Dataset) -> None:
    """Check that a network was not trained on test images, which is so of one that was trained on
    all images of a set.

    Raises:
        InputError: it was.
    """
    own, *earlier = (_tested(each, dataset) for each in saw(card.about))
    if own and "whole" in card.about:
        raise InputError(
            f"the network was trained on all images of {dataset.name!r}, the test images among "
            "them: none is left to score it on; name other images with --data"
        )
    if own or any(earlier):
        what = "the network was" if own else "the network started from weights that were"
        raise InputError(
            f"{what} trained on test images of {dataset.name!r}, as they are drawn by their "
            "names now: it cannot be scored on them; name other images with --data"
        )


def require_fair(sources: Iterable[str], dataset: Dataset) -> list[str]:
    """Check that weights which runs are to start from have not seen the test images.

    Returns:
        those that have seen training images.

    Raises:
        InputError: some have seen test images.
    """
    familiar = []
    for source in dict.fromkeys(sources):
        if (card := own_card(open_weights(source))) is None:
            continue
        if has_seen_tested(card.about, dataset):
            raise InputError(f"the weights {source} {told_seen(card.about, dataset)}")
        familiar += [source] * _trained(card.about, dataset)
    return familiar


def told_seen(about: Mapping[str, Any], dataset: Dataset) -> str:
    """That weights have seen test images, and what to do: behind their name."""
    seeds = {each["images"]["split_seed"] for each in saw(about) if "images" in each}
    drawn = dataset.origin.split_seed
    remedy = "" if drawn is None or len(seeds) != 1 else f"give --split-seed {seeds.pop()}, or "
    return (
        f"were trained on test images of {dataset.name!r}: what these say of a network that starts "
        f"from them does not hold for new images; {remedy}name other images or other weights"
    )


def _trained(about: Mapping[str, Any], dataset: Dataset) -> bool:
    here, content = dataset.identity(), dataset.origin.content or None
    for each in saw(about):
        contents = [each[key].get("content") for key in ("whole", "images") if key in each]
        if content is not None and content in contents:
            return True
        if "data" in each and same_images(each["data"], here):
            return True
    return False


def was_trained_on(card: Card, dataset: Dataset) -> bool:
    """Whether these are the images, in the split, that a network was trained and tested with, as
    far as that can be told: their fingerprint covers their pixels, which another test size
    changes. A card that does not say is believed."""
    match card.about.get("whole"):
        case {"test": str(test)}:
            return test == told_together(dataset.test)
    match card.about.get("images"):
        case {"test": str(test), "content": dataset.origin.content}:
            return test == told_together(dataset.test)
    here = dataset.identity()
    there: Mapping[str, Any] = card.about.get("data", here)
    if there.get("test_image_size") == here.get("test_image_size"):
        # Of the same images.
        apart = ["validation", "validation_seed", "validation_fingerprint"]
        apart += ["train"] * ("validation_seed" in there)
        both = ({n: of[n] for n in of if n not in apart} for of in (there, here))
        return same_images(*both)
    names = ("image_size", "classes", "train", "test")
    return all(there.get(name) == here[name] for name in names)
