"""LiveCodeBench: problems of programming contests, judged by their tests."""
