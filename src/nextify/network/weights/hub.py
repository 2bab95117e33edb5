"""Repositories on the Hugging Face hub, by way of huggingface_hub, which caches and resumes."""

import re
from collections.abc import Sequence
from pathlib import Path

from nextify.errors import InputError

PREFIX = "hf:"
_NAME = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?", re.ASCII)


def fetch(
    source: str, file_names: Sequence[str], configs: Sequence[str]
) -> tuple[Path, list[Path]]:
    """The first file of these names in a repository, and those of its configurations it has.

    Args:
        source: `"hf:owner/name"`, with `"@revision"` where not the newest is meant.

    Raises:
        InputError: no such repository or file, no network, or huggingface_hub is not installed.
    """
    found = _NAME.fullmatch(source.removeprefix(PREFIX))
    if found is None:
        raise InputError(f"{source!r} is no name on the hub; give {PREFIX}owner/name, as "
                         f"{PREFIX}timm/convnext_tiny.fb_in1k")  # fmt: skip
    for name in file_names:
        weights = _download(found["repo"], name, found["revision"])
        if weights is not None:
            beside = (_download(found["repo"], config, found["revision"]) for config in configs)
            return weights, [config for config in beside if config is not None]
    raise InputError(f"repository {found['repo']!r} on the hub holds none of "
                     f"{', '.join(file_names)}; choose one that does")  # fmt: skip


def _download(repo: str, name: str, revision: str | None) -> Path | None:
    """A file of a repository, from the cache if it is there; None if the repository lacks it."""
    try:
        from huggingface_hub import errors, hf_hub_download
    except ImportError:
        raise InputError(
            f"{PREFIX}{repo} needs huggingface_hub, which is not installed; "
            "pip install 'nextify[hub]'"
        ) from None
    try:
        return Path(hf_hub_download(repo, name, revision=revision))
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise _unreachable(repo, name) from error
    except errors.EntryNotFoundError:
        return None
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise InputError(
            f"the hub has no repository {repo!r}{f' at {revision!r}' * bool(revision)} that can be "
            "read; check its name, and log in (`hf auth login`) if it is not public"
        ) from error
    except errors.HFValidationError as error:
        raise InputError(f"{repo!r} is no name on the hub ({error}); give owner/name") from error
    except Exception as error:  # what the network raises, as many libraries as there are below
        raise _unreachable(repo, name, error) from error


def _unreachable(repo: str, name: str, error: Exception | None = None) -> InputError:
    reason = " ".join(str(error).split())[:120] if error else "no network, or offline mode"
    return InputError(
        f"{name} of {repo!r} cannot be fetched from the hub ({reason}) and is not in the cache; "
        "repeat with a network, which goes on where it stopped, or download the file elsewhere "
        "and give its path"
    )
