"""HumanEval+ and MBPP+ (EvalPlus): the functions of HumanEval and MBPP with many more inputs."""
