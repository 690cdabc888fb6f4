"""`python -m pretrain`: the same as `tsugiki pretrain`."""

from configs.cli import main
from pretrain.cli import verbs

if __name__ == "__main__":
    raise SystemExit(main("python -m pretrain", verbs))
