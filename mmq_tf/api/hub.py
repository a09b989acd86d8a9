# SPDX-License-Identifier: Apache-2.0
"""Bundles on a model hub: pushed with a card, pulled and checked as any other bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from mmq_bridge.cache import cache_folder

from mmq_tf.api.hub_card import hub_card
from mmq_tf.errors import MMQError

if TYPE_CHECKING:
    from mmq_bridge.decision.manifest import Manifest

INSIDE = "bundle"
"""The folder of a hub's repository that is the bundle; beside it lies the card."""


def card_of(folder: Path, repo: str, results: Sequence[str | Path], licence: str, demographics: str) -> str:
    """Return the text of the card that lies beside a bundle in a hub's repository.

    Parameters are those of `mmq_tf.api.exporting.Bundle.push_to_hub`.

    Raises
    ------
    BridgeError
        If the bundle is not whole.
    """
    from mmq_bridge.decision.bundle_files import read_front_end

    from mmq_tf.metrics.results_table import read_results

    manifest, _ = checked(folder)
    tables = [read_results(path) for path in results]
    return hub_card(repo, manifest, read_front_end(manifest, folder), tables, licence, demographics)


def push(folder: Path, repo: str, card: str, *, private: bool, message: str) -> str:
    """Push a bundle and its card to a hub's repository, and return where the hub shows it.

    Raises
    ------
    MMQError
        If huggingface_hub is not installed, or the hub refuses.
    BridgeError
        If the bundle is not whole.
    """
    from mmq_export.folder import BUNDLE

    hub = _hub()
    manifest, files = checked(folder)
    with tempfile.TemporaryDirectory() as made:
        BUNDLE.write(Path(made) / INSIDE, files)
        (Path(made) / "README.md").write_text(card, "utf-8")
        try:
            api = hub.HfApi()
            shown = api.create_repo(repo, private=private, exist_ok=True)
            api.upload_folder(
                repo_id=repo,
                folder_path=made,
                commit_message=message or f"{manifest.name}, mmq-tf {manifest.versions.get('mmq-tf', '')}",
                delete_patterns=f"{INSIDE}/**",
            )
        except Exception as error:  # the hub's client raises many kinds
            raise MMQError(f"{repo}: the hub did not take it ({_first_line(error)}).") from error
    return str(shown)


def pull(repo: str, *, revision: str | None = None, folder: Path | None = None) -> tuple[Path, Manifest]:
    """Pull a bundle from a hub's repository; return its folder and manifest.

    Parameters
    ----------
    repo : str
        ``owner/name``.
    revision : str, optional
        A branch, tag or commit; by default the newest.
    folder : Path, optional
        To make, by default one in the cache. A bundle there is replaced, anything else refused.

    Raises
    ------
    MMQError
        If huggingface_hub is not installed, the hub has no such bundle, or `folder` holds something else.
    BridgeError
        If what was pulled is no whole bundle: a file is missing, changed, a link or not the bundle's.
    """
    from mmq_export.folder import BUNDLE

    hub = _hub()
    target = folder or cache_folder() / "hub" / repo.replace("/", "--")
    BUNDLE.check(target)
    with tempfile.TemporaryDirectory() as made:
        try:
            hub.snapshot_download(repo, revision=revision, local_dir=made, allow_patterns=[f"{INSIDE}/**"])
        except Exception as error:  # the hub's client raises many kinds
            raise MMQError(f"{repo}: cannot be pulled ({_first_line(error)}).") from error
        pulled = Path(made) / INSIDE
        if not pulled.is_dir() or pulled.is_symlink():
            raise MMQError(f"{repo}: it has no folder {INSIDE}/, so no bundle of mmq-tf was pushed there.")
        manifest, files = checked(pulled)
    BUNDLE.write(target, files)
    return target, manifest


def checked(folder: Path) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest of a whole bundle, and all of its files by their path, the manifest too.

    Raises
    ------
    BridgeError
        If a file is absent, changed or a link, or the manifest does not name it.
    """
    from mmq_bridge.bundle.reader import read_files
    from mmq_bridge.decision.manifest import MANIFEST_NAME, Manifest

    manifest = Manifest.load(folder)
    files = read_files(folder, manifest)
    return manifest, {**files, MANIFEST_NAME: manifest.to_json().encode()}


def _hub() -> ModuleType:
    try:
        import huggingface_hub
    except ImportError as error:
        raise MMQError("huggingface_hub is not installed; run `pip install mmq-tf[hub]`.") from error
    return huggingface_hub


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:160] or type(error).__name__
