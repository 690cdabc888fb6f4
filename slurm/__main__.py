"""`python -m slurm`: the same as `tsugiki slurm`."""

from configs.cli import main
from slurm.cli import verbs

if __name__ == "__main__":
    raise SystemExit(main("python -m slurm", verbs))
