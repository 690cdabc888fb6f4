"""Words that run a command in an image."""

from __future__ import annotations

import shlex

from configs.schema.site import Container


def inside(container: Container | None, command: str, *, gpus: bool) -> str:
    """The command within the image, for what a program starts there; pyxis is told by options of srun instead.

    >>> inside(Container(by="apptainer", image="a.sif", mounts=("/data",)), "python -m corpus", gpus=True)
    'apptainer exec --nv --bind /data a.sif python -m corpus'
    """
    if container is None or container.by == "pyxis":
        return command
    options = ["--nv"] if gpus else []
    for mount in container.mounts:
        options += ["--bind", shlex.quote(mount)]
    return " ".join([container.by, "exec", *options, shlex.quote(container.image), command])


def srun_options(container: Container | None) -> list[str]:
    """What srun is told, so that pyxis starts the image; nothing for the others.

    >>> srun_options(Container(by="pyxis", image="a.sqsh", mounts=("/data", "/a:/b")))
    ['--container-image=a.sqsh', '--container-mounts=/data:/data,/a:/b', '--no-container-mount-home']
    """
    if container is None or container.by != "pyxis":
        return []
    options = [f"--container-image={shlex.quote(container.image)}"]
    if container.mounts:
        mounts = ",".join(mount if ":" in mount else f"{mount}:{mount}" for mount in container.mounts)
        options.append(f"--container-mounts={shlex.quote(mounts)}")
    return [*options, "--no-container-mount-home"]
