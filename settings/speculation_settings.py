"""The settings of speculative decoding: who proposes tokens, and how many at once. The names are those of the servers'
own options.
"""

from __future__ import annotations

from settings.setting import Determines, Section, Setting

NEEDS_DRAFT = ("draft-simple", "draft-eagle3", "draft-dflash", "draft-dspark")
MTP = "draft-mtp"  # the model's own heads, or those of --model-draft
WITHOUT_DRAFT = ("ngram-simple", "ngram-map-k", "ngram-map-k4v", "ngram-mod", "ngram-cache")
SPEC_TYPES = (*NEEDS_DRAFT, MTP, *WITHOUT_DRAFT)
_SEVERAL = f"(?:{'|'.join(SPEC_TYPES)})(?:,(?:{'|'.join(SPEC_TYPES)}))*"
_MOST_TOKENS = 1024
_IN_CONFIG = {"vllm": "put it into --speculative-config"}

SPECULATION_SETTINGS = (
    Setting(
        name="model_draft",
        kind="path",
        help="A GGUF file that proposes tokens, which the model accepts or not: a smaller model, or its MTP head.",
        section=Section.MODEL,
        determines=Determines.SERVER,
        metavar="FILE",
        aliases=("--draft-model",),
        servers=("llama.cpp",),
        instead={"vllm": """use --speculative-config '{"model": "...", "num_speculative_tokens": 5}'"""},
        server_option={"llama.cpp": "--model-draft"},
        not_for=("kld",),
    ),
    Setting(
        name="spec_type",
        kind="text",
        help=f"llama.cpp: how tokens are proposed: {', '.join(SPEC_TYPES)}.",
        section=Section.MODEL,
        determines=Determines.SERVER,
        metavar="TYPE",
        choices=SPEC_TYPES,
        also=_SEVERAL,
        default_text="what fits --model-draft",
        servers=("llama.cpp",),
        instead=_IN_CONFIG,
        server_option={"llama.cpp": "--spec-type"},
        not_for=("kld",),
    ),
    Setting(
        name="spec_draft_n_max",
        kind="whole",
        help="llama.cpp: at most N tokens are proposed at once.",
        section=Section.MODEL,
        determines=Determines.SERVER,
        metavar="N",
        minimum=1,
        maximum=_MOST_TOKENS,
        default_text="the server's",
        servers=("llama.cpp",),
        instead=_IN_CONFIG,
        server_option={"llama.cpp": "--spec-draft-n-max"},
        not_for=("kld",),
    ),
    Setting(
        name="spec_draft_n_min",
        kind="whole",
        help="llama.cpp: fewer than N proposed tokens are not tried.",
        section=Section.MODEL,
        determines=Determines.SERVER,
        metavar="N",
        minimum=0,
        maximum=_MOST_TOKENS,
        default_text="the server's",
        servers=("llama.cpp",),
        instead=_IN_CONFIG,
        server_option={"llama.cpp": "--spec-draft-n-min"},
        not_for=("kld",),
    ),
    Setting(
        name="spec_draft_p_min",
        kind="number",
        help="llama.cpp: stop proposing where the draft model's probability is below P.",
        section=Section.MODEL,
        determines=Determines.SERVER,
        metavar="P",
        minimum=0,
        maximum=1,
        default_text="the server's",
        servers=("llama.cpp",),
        instead=_IN_CONFIG,
        server_option={"llama.cpp": "--spec-draft-p-min"},
        not_for=("kld",),
    ),
    Setting(
        name="gpu_layers_draft",
        kind="whole",
        help="Layers of the draft model on the GPU (llama.cpp); -1 for all.",
        section=Section.MODEL,
        determines=Determines.SERVER,
        metavar="N",
        minimum=-1,
        default_text="the server's",
        servers=("llama.cpp",),
        instead=_IN_CONFIG,
        server_option={"llama.cpp": "--gpu-layers-draft"},
        not_for=("kld",),
    ),
    Setting(
        name="speculative_config",
        kind="json",
        help="""vLLM: how it speculates: '{"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4}'.""",
        section=Section.MODEL,
        determines=Determines.SERVER,
        metavar="JSON",
        servers=("vllm",),
        instead={"llama.cpp": "use --model-draft FILE or --spec-type"},
        server_option={"vllm": "--speculative-config"},
        not_for=("kld",),
    ),
)
