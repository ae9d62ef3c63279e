"""Models as other programs keep them."""

from __future__ import annotations

import hashlib
import json

MODEL_LAYER = "application/vnd.ollama.image.model"


def keep_in_ollama(home, name, data, *, below=("registry.ollama.ai", "library"), blob=True):
    """Keep a model as Ollama does, below its home folder. Returns the path of its file."""
    models = home / ".ollama" / "models"
    digest = hashlib.sha256(data).hexdigest()
    name, tag = name.split(":")
    manifest = models.joinpath("manifests", *below, *name.split("/"), tag)
    manifest.parent.mkdir(parents=True, exist_ok=True)
    template = {
        "mediaType": "application/vnd.ollama.image.template",
        "digest": f"sha256:{'0' * 64}",
        "size": 1,
    }
    layer = {"mediaType": MODEL_LAYER, "digest": f"sha256:{digest}", "size": len(data)}
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": [template, layer]}))
    path = models / "blobs" / f"sha256-{digest}"
    path.parent.mkdir(exist_ok=True)
    if blob:
        path.write_bytes(data)
    return path
