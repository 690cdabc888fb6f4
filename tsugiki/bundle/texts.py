"""What a bundle has to be read and run: the script that installs it, and the definition of an image."""

from __future__ import annotations

_INSTALL = """\
#!/bin/sh
# Checks this bundle and installs it into a new virtual environment, without a network: sh install.sh DIR
# PYTHON names the interpreter, which must be Python {python}.
set -eu
[ $# -eq 1 ] || {{ echo "usage: sh install.sh DIR" >&2; exit 2; }}
here=$(cd "$(dirname "$0")" && pwd)
python=${{PYTHON:-python{python}}}
(cd "$here" && sha256sum --check --quiet SHA256SUMS)
found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[ "$found" = {python} ] || {{ echo "this bundle is for Python {python}, $python is $found" >&2; exit 1; }}
"$python" -m venv{options} "$1"
"$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps "$here"/wheels/*.whl
{check}
echo "installed: $1/bin/tsugiki"
"""

_DEFINITION = """\
# An image for Apptainer, built without a network: `apptainer build tsugiki.sif tsugiki.def` in this folder.
# base.sif is any image with glibc 2.28 or newer and Python {python} with venv{and_torch}; bring one along,
# for instance what `apptainer pull base.sif docker://python:{python}` gives outside.
Bootstrap: localimage
From: base.sif

%files
    wheels /bundle/wheels
    constraints.txt /bundle/constraints.txt
    install.sh /bundle/install.sh
    tsugiki.def /bundle/tsugiki.def
    SHA256SUMS /bundle/SHA256SUMS

%post
    sh /bundle/install.sh /opt/tsugiki
    rm -r /bundle

%environment
    export PATH=/opt/tsugiki/bin:$PATH

%runscript
    exec tsugiki "$@"
"""


def install_script(python: str, *, torch: bool) -> str:
    """The script.

    Args:
        torch: whether the bundle has it; else it is taken from the interpreter's own packages.
    """
    check = '"$1/bin/python" -m pip check' if torch else '"$1/bin/python" -m tsugiki --help > /dev/null'
    return _INSTALL.format(python=python, options="" if torch else " --system-site-packages", check=check)


def apptainer_definition(python: str, *, torch: bool) -> str:
    """The definition; the same bundle may be installed without it."""
    return _DEFINITION.format(python=python, and_torch="" if torch else " and torch")
