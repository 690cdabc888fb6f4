"""`python -m slurm`: the same as `tsugiki slurm`."""

from configs.program import run_program

if __name__ == "__main__":
    run_program("python -m slurm", "slurm.cli")
