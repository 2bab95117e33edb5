"""What folders of training and of test images are called."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from nextify.errors import InputError

# A word each, in capitals or not, alone or beside numbers and words that say no more (train_set,
# seg_train, train2017). Of the sides to test on, the first that is there is taken.
_WORDS = {
    "train": """train training trn tr entrenamiento entrainement apprentissage treino treinamento
        addestramento trainieren trainings lernen 训练 訓練 訓練用 训练集 訓練集 훈련 학습
        обучение тренировка""",
    "test": "test tests testing tst prueba pruebas teste testes prova 测试 測試 测试集 測試集 "
    "テスト 테스트 시험 тест",
    "val": """val validation valid validating vali validacion validacao validierung validazione
        验证 驗證 验证集 驗證集 検証 検証用 검증 валидация""",
    "dev": "dev development",
    "eval": "eval evaluation holdout heldout",
}
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split()}
TEST_KINDS = tuple(kind for kind in _WORDS if kind != "train")
_SAYS_NOTHING = frozenset(
    """set sets data dataset split images image imgs img pictures photos samples seg
    daten""".split()  # noqa: SIM905
)
_TOGETHER = re.compile(f"^({'|'.join(_KINDS)})(?:images|data|daten|sets?)$")  # trainset, testdata


def kind_of(name: str) -> str | None:
    """Which split a folder's name says it is.

    >>> [kind_of(name) for name in ("Training", "seg_test", "val2017", "entraînement", "trainers")]
    ['train', 'test', 'val', 'train', None]
    """
    plain = unicodedata.normalize("NFKD", name).casefold()
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    words = re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", plain))
    own = (_TOGETHER.sub(r"\1", word) for word in words)
    return _KINDS.get("".join(word for word in own if word not in _SAYS_NOTHING))


def by_kind(folders: Iterable[Path]) -> Mapping[str, list[Path]]:
    """The folders that may be each split."""
    found: dict[str, list[Path]] = {}
    for folder in folders:
        if kind := kind_of(folder.name):
            found.setdefault(kind, []).append(folder)
    return found


def the_one(kind: str, folders: list[Path]) -> Path:
    """The folder of a split: one whose name is the split's own (`train`) before longer names.

    Raises:
        InputError: there is more than one.
    """
    exact = [folder for folder in folders if folder.name.casefold() == kind]
    if len(folders) > 1 and len(exact) != 1:
        names = ", ".join(repr(folder.name) for folder in folders)
        raise InputError(
            f"{str(folders[0].parent)!r} has several folders that may be {kind}/: {names}; put "
            f"their images into one, or give a folder with links to the two that you mean, called "
            f"train and test"
        )
    return (exact or folders)[0]
