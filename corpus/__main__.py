"""`python -m corpus`: the same as `tsugiki corpus`."""

from configs.program import run_program

if __name__ == "__main__":
    run_program("python -m corpus", "corpus.cli")
