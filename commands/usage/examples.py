"""The examples in the help of `run`."""

RUN_EXAMPLES = """
\b
Examples:
  bench_runner.py run --benchmark human_eval --limit 20
  bench_runner.py run --benchmark human_eval --model some.gguf --gpu-layers 80
  for f in models/*.gguf; do bench_runner.py run --benchmark human_eval --model "$f"; done
  bench_runner.py run --benchmark human_eval --server vllm --model ~/models/Qwen --tensor-parallel-size 2
  bench_runner.py run --benchmark human_eval --base-url http://127.0.0.1:8080
  bench_runner.py run --benchmark human_eval --model ollama:qwen2.5:7b --lora style.gguf:0.5
  bench_runner.py run --benchmark speed --model some.gguf --gpu-layers 80 --depths 0,8k,32k
  bench_runner.py run --benchmark human_eval --model new.gguf --gate baseline --margin 5
  bench_runner.py run --benchmark human_eval --model some.gguf -- --flash-attn on --cache-type-k q8_0
"""
