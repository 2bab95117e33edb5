"""Whatever is typed, a command that reads answers with 0 or refuses with 2 and one line."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextify.designs import FAMILIES, PATHS, RECIPES, Design, Recipe
from nextify.designs.fields import hints

COMMANDS = ("path", "designs", "cost", "show", "recipe")
NAMES = (*FAMILIES, *PATHS, *RECIPES)
FIELDS = (*hints(Design), *hints(Recipe))
VALUES = ("1", "2", "0", "-1", "3.5", "nan", "inf", "none", "true", "", "1_0", "٣", "1,2,3")
VALUES += ("1,2,3,4", "3,3,9,3", "dense", "depthwise", "patchify", "layer", "gelu", "sgd")
OPTIONS = ("--json", "--layers", "--image-size", "--classes", "--help", "--version", "--",
           "--image-size=64", "--classes=10", "--imag", "-h", "-x", "--json=1")  # fmt: skip
SIZES = ("224", "32x64", "7", "1", "0", "-5", "x", "1x", "224×96", "16384", "16385")

typed = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=8)
word = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(OPTIONS),
    st.sampled_from(SIZES),
    st.builds("{}={}".format, st.sampled_from(FIELDS), st.sampled_from(VALUES)),
    st.builds("{}={}".format, st.sampled_from(FIELDS), typed),
    typed,
)
line = st.one_of(
    st.builds(lambda command, rest: [command, *rest], st.sampled_from(COMMANDS), st.lists(word)),
    st.builds(
        lambda command, name, rest: [command, name, *rest],
        st.sampled_from(("cost", "show")), st.sampled_from(tuple(FAMILIES)), st.lists(word),
    ),
    st.lists(word),
)  # fmt: skip


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(line)
def test_reading_commands_answer_or_refuse(nextify, arguments):
    answer = nextify(*arguments)
    assert answer.code in (0, 2)
    if answer.code == 0:
        assert answer.out and not answer.err
    elif not answer.out:  # no command: the help
        assert answer.err.startswith("nextify: ") and answer.err.count("\n") == 1
        assert len(answer.err) > len("nextify: \n")
