"""`python -m pretrain`: the same as `tsugiki pretrain`."""

from configs.program import run_program

if __name__ == "__main__":
    run_program("python -m pretrain", "pretrain.cli")
