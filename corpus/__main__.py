"""`python -m corpus`: the same as `tsugiki corpus`."""

from configs.cli import main
from corpus.cli import verbs

if __name__ == "__main__":
    raise SystemExit(main("python -m corpus", verbs))
