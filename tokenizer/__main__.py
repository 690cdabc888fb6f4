"""`python -m tokenizer`: the same as `tsugiki tokenizer`."""

from configs.cli import main
from tokenizer.cli import verbs

if __name__ == "__main__":
    raise SystemExit(main("python -m tokenizer", verbs))
