# ruff: noqa: E501 - a table
"""What models put around a thought."""

from __future__ import annotations

# What stands around a thought and before the answer, by who writes it so.
PAIRS = {
    "DeepSeek R1, Qwen 3": ("<think>\n", "\n</think>\n\n"),
    "thinking": ("<thinking>", "</thinking>"),
    "EXAONE": ("<thought>\n", "\n</thought>\n\n"),
    "reason": ("<reason>", "</reason>"),
    "reasoning": ("<reasoning>\n", "</reasoning>\n"),
    "in capitals": ("<THINK>", "</THINK>"),
    "with an attribute": ('<think effort="high">', "</think>"),
    "Seed-OSS": ("<seed:think>", "</seed:think>"),
    "MiniMax M3": ("<mm:think>", "</mm:think>"),
    "Hunyuan": ("<think:opensource>", "</think:opensource>"),
    "LongCat": ("<longcat_think>\n", "</longcat_think>\n"),
    "Magistral": ("[THINK]", "[/THINK]"),
    "Kimi VL": ("◁think▷", "◁/think▷"),
    "Kimi K3": ("<|open|>think<|sep|>", "<|close|>think<|sep|><|open|>response<|sep|>"),
    "gpt-oss": (
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
    "gpt-oss with a turn before it": (
        "<|start|>assistant<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>commentary<|message|>First.<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>",
    ),
    "gpt-oss without special tokens": ("analysisWe need a function. ", "assistantfinal"),
    "Gemma 4": ("<|channel>thought\n", "<channel|>"),
    "MedGemma": ("<unused94>thought\n", "<unused95>"),
    "Command A": ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),
    "Sky-T1": ("<|begin_of_thought|>\n\n", "\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n"),
    "Apertus": ("<|inner_prefix|>", "<|inner_suffix|>"),
    "typed blocks": (
        "<|message_model|><|content_thinking|>",
        "<|end_message|><|message_model|><|content_text|>",
    ),
    "Granite": ("Here is my thought process:\n", "\n\nHere is my response:\n"),
    "a proxy": (
        '<details type="reasoning" done="true">\n<summary>Thought for 3 seconds</summary>\n',
        "</details>\n",
    ),
    "Ollama's command line": ("Thinking...\n", "\n...done thinking.\n\n"),
    "Granite in bold": ("**Here is my thought process:**\n", "\n\n**Here is my response:**\n"),
    "Solar": ("<|think|>", "<|end|><|begin|>assistant<|content|>"),
    "HyperCLOVA X": ("assistant/think\n", "<|im_end|>\n<|im_start|>assistant\n"),
    "Apriel": ("Here are my reasoning steps:\n", "\n[BEGIN FINAL RESPONSE]\n"),
    "Command A Plus, which doesn't close": ("<|START_THINKING|>", "<|START_TEXT|>"),
    "Kimi K3, which doesn't close": ("<|open|>think<|sep|>", "<|open|>response<|sep|>"),
    "PLaMo 3": ("<|plamo:begin_think:plamo|>", "<|plamo:end_think:plamo|>"),
    "Solar 2": ("<|think:start|>", "<|think:end|>"),
    "K2 Horizon": ("<ifm|think_fast>", "</ifm|think_fast>"),
    "openPangu": ("[unused16]", "[unused17]"),
    "turns with a recipient": ("to=self<|message|>", "<|eom|><|start|>assistant to=user<|message|>"),
    "gpt-oss without a second channel": (
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|message|>",
    ),
    "Granite, quantized": ("Here's my thought process:", "Here's my response:"),
}
WORDS = {
    "gpt-oss without special tokens",
    "Granite",
    "Granite in bold",
    "HyperCLOVA X",
    "Granite, quantized",
    "a proxy",
    "Ollama's command line",
}  # no marks of their own: they begin an answer
