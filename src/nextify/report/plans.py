"""What a plan will tell, in words."""

from nextify.records import Experiment

TELLS: dict[Experiment, str] = {
    "leave-one-out": "each factor undone at the end; nothing of how factors change each other",
    "add-one-in": "each factor made at the start; nothing of how factors change each other",
    "resolution-4": "contributions; of two-factor interactions only sums of several",
    "resolution-5": "contributions and every two-factor interaction",
    "full": "contributions and interactions of every order",
    "permutations": "contributions, from sampled orders",
    "augmented": "what its cells allow",
}
