"""How servers refuse a parameter: status and body of the answer, as they stand in the reports of their users."""

from __future__ import annotations


def openai(name, said, code):
    return 400, {"error": {"message": said, "type": "invalid_request_error", "param": name, "code": code}}


def extra_forbidden(name, value):
    """Of pydantic, which shows what it was given."""
    return [
        {
            "type": "extra_forbidden",
            "loc": ["body", name],
            "msg": "Extra inputs are not permitted",
            "input": value,
        }
    ]


def vllm(said, param=None):
    return 400, {"error": {"message": said, "type": "BadRequestError", "param": param, "code": 400}}


def gemini(name):
    said = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
    details = [{"fieldViolations": [{"description": said}]}]
    return 400, [{"error": {"code": 400, "message": said, "status": "INVALID_ARGUMENT", "details": details}}]


HOW = {
    "openai": lambda name, _: openai(
        name, f"Unsupported parameter: '{name}' is not supported with this model.", "unsupported_parameter"
    ),
    "openai-newer": lambda name, _: openai(
        name,
        f"Unsupported parameter: '{name}' is not supported with this model. Use 'max_completion_tokens' instead.",
        "unsupported_parameter",
    ),
    "openai-value": lambda name, value: openai(
        name,
        f"Unsupported value: '{name}' does not support {value} with this model. Only the default (1) value is "
        "supported.",
        "unsupported_value",
    ),
    "openai-unknown": lambda name, _: openai(None, f"Unrecognized request argument supplied: {name}", None),
    "groq": lambda name, _: (
        400,
        {
            "error": {
                "message": f"property '{name}' is unsupported, did you mean 'stop'?",
                "type": "invalid_request_error",
            }
        },
    ),
    "gemini": lambda name, _: gemini(name),
    "pydantic": lambda name, value: (422, {"detail": extra_forbidden(name, value)}),
    "mistral": lambda name, value: (
        422,
        {"object": "error", "message": {"detail": extra_forbidden(name, value)}, "code": None},
    ),
    "old-vllm": lambda name, value: (
        400,
        {
            "object": "error",
            "message": f"[{{'type': 'extra_forbidden', 'loc': ('body', '{name}'), 'msg': 'Extra inputs are not "
            f"permitted', 'input': {value}}}]",
            "type": "BadRequestError",
            "code": 400,
        },
    ),
    "vllm": lambda name, _: vllm(
        f"{name} is set but reasoning_config is not configured. Please set --reasoning-parser and/or "
        f"--reasoning-config to use {name}."
    ),
    "vllm-range": lambda name, value: vllm(f"{name} must be in (0, 1], got {value}.", name),
    "vllm-words": lambda name, value: vllm(f"{name} must be greater than zero, got {value}."),
    "bedrock": lambda name, _: (
        400,
        {
            "message": f"Malformed input request: #: extraneous key [{name}] is not permitted, please reformat."
        },
    ),
    "litellm": lambda name, value: (
        400,
        {
            "error": {
                "message": "litellm.UnsupportedParamsError: gemini does not support parameters: "
                f"{ {name: value} }, for model=g",
                "code": "400",
            }
        },
    ),
    "llama.cpp": lambda name, value: (
        400,
        {
            "error": {
                "code": 400,
                "message": f"Field '{name}': Value must be between -1 <= value <= 2147483647, but got {value}",
                "type": "invalid_request_error",
            }
        },
    ),
    "anthropic": lambda name, _: (
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": f"{name}: Extra inputs are not permitted"},
        },
    ),
    "anthropic-deprecated": lambda name, _: (
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": f"`{name}` is deprecated for this model."},
        },
    ),
    "plain": lambda name, _: (400, {"error": f"unknown parameter: {name}"}),
    "too-large": lambda name, value: openai(
        name, f"{name} is too large: {value}. This model supports at most 100 completion tokens.", None
    ),
}


def refusal(how, name, value):
    """(status, body) of that server's answer; None where that value is taken."""
    return None if how == "openai-value" and value == 1 else HOW[how](name, value)
