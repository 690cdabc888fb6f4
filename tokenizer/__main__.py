"""`python -m tokenizer`: the same as `tsugiki tokenizer`."""

from configs.program import run_program

if __name__ == "__main__":
    run_program("python -m tokenizer", "tokenizer.cli")
