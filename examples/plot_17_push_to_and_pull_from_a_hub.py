# SPDX-License-Identifier: Apache-2.0
"""
A bundle on a model hub: push it, pull it
=========================================

A bundle is a folder, so it can be shared on the Hugging Face Hub: ``push_to_hub`` adds a card that people and
the hub can read, ``from_hub`` checks every file before it keeps one. In this example the hub is a folder.
"""

# %%
# A hub that is a folder
# ----------------------
# With ``pip install mmq-tf[hub]`` and a token of yours this part is not needed: leave it out, and the same
# calls go to the real hub. Nothing here opens a connection.
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

home = Path(tempfile.mkdtemp(prefix="hub-"))


class FolderHub:
    """The two calls of ``huggingface_hub.HfApi`` that pushing needs."""

    def create_repo(self, repo_id, **settings):
        (home / repo_id).mkdir(parents=True, exist_ok=True)
        return f"folder:{repo_id}"

    def upload_folder(self, *, repo_id, folder_path, **settings):
        shutil.copytree(folder_path, home / repo_id, dirs_exist_ok=True)


def snapshot_download(repo_id, *, local_dir, **settings):
    shutil.copytree(home / repo_id / "bundle", Path(local_dir) / "bundle")


before = sys.modules.get("huggingface_hub")
sys.modules["huggingface_hub"] = SimpleNamespace(HfApi=FolderHub, snapshot_download=snapshot_download)

# %%
# Push
# ----
# ``mmq_tf.export`` returns a bundle like this one, which comes with the package.
from mmq_bridge.decision.manifest import Manifest
from mmq_bridge.errors import BridgeError

from mmq_tf import pretrained
from mmq_tf.api.exporting import Bundle

folder = pretrained.path("wrist-stress")
shipped = Bundle(folder, Manifest.load(folder))
print(shipped.push_to_hub("me/wrist-stress"))
for path in sorted((home / "me" / "wrist-stress").iterdir()):
    print(path.name)

# %%
# The card begins with what the hub reads: licence, tags, and the results as a ``model-index``.
card = (home / "me" / "wrist-stress" / "README.md").read_text("utf-8")
print(card[:700])

# %%
# Pull
# ----
# The bundle that comes back is the one that was pushed, file by file, and decides as it did.
pulled = Bundle.from_hub("me/wrist-stress", folder=home / "mine")
assert pulled.manifest == shipped.manifest
print(pulled.folder.name, "decides from", ", ".join(pulled.load().front_end.modality_names))

# %%
# What was changed on the way is refused, and nothing of it is kept.
changed = home / "me" / "wrist-stress" / "bundle" / "frontend.json"
changed.write_text(changed.read_text("utf-8").replace("64", "65", 1), "utf-8")
try:
    Bundle.from_hub("me/wrist-stress", folder=home / "other")
except BridgeError as error:
    print(error)
assert not (home / "other").exists()

# %%
# The hub that was a folder goes.
sys.modules.pop("huggingface_hub")
if before is not None:
    sys.modules["huggingface_hub"] = before
shutil.rmtree(home)
