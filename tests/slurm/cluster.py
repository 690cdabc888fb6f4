"""A real Slurm of several nodes on this one machine, without systemd, cgroups or accounting; needs root.

Each node is a slurmd in UTS, mount, PID, IPC and network namespaces of its own, with a name and an address; a bridge
in one more network namespace is the switch, where slurmctld is. CPUs, memory and GPUs are claimed, not real. The end of
a process ends all that runs in its namespaces, and every process ends with this one, however that ends.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

NEEDS = ("slurmctld", "slurmd", "munged", "sbatch", "scontrol", "unshare", "nsenter", "setpriv", "ip", "ss")
_CLIENTS = ("sbatch", "srun", "squeue", "sinfo", "scontrol", "scancel", "sacct")
_OF_SLURM = ("slurmd", "slurmstepd", "srun")
_CONTROLLER = "10.77.0.1"
_READY = {"idle", "mixed", "allocated", "planned", "completing"}
_LONGEST_FOLDER = 64  # a Unix socket's path has at most 107 characters, and Slurm puts some below the folder

# In the slow parts of a test this is what one waits for: cred_expire is also how long a requeued job waits before it
# starts again (default 120 s), SlurmdTimeout how long a node may be silent, KillWait the time from SIGTERM to SIGKILL.
_CONF = """\
ClusterName=test
SlurmctldHost={host}({controller})
SlurmctldPort=20000
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0,bf_interval=2
AccountingStorageType=accounting_storage/none
MinJobAge=86400
JobRequeue=1
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout=5
KillWait=5
MessageTimeout=10
SlurmdParameters=config_overrides
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=gpu Nodes=node[1-{nodes}] Default=YES MaxTime=7-0 DefaultTime=1:00:00 State=UP
PartitionName=urgent Nodes=node[1-{nodes}] PriorityTier=10 State=UP
"""

_SWITCH = """
ip link set lo up; ip link add br0 type bridge; ip addr add {controller}/24 dev br0; ip link set br0 up
touch {folder}/switch.up; exec sleep infinity
"""

# Its shell is process 1 of the node, and reaps. The other end of eth0 is plugged in from outside.
_NODE = """
hostname {name}; ip link set lo up; until ip link set eth0 up 2>/dev/null; do sleep 0.05; done
ip addr add {address}/24 dev eth0; mount --bind {folder}/hosts /etc/hosts; mount -t tmpfs tmpfs /dev/shm
slurmd -D -N {name} -f {folder}/slurm.conf & wait $!
"""


class Cluster:
    """Nodes node1, node2, … of the partition gpu, whose jobs those of the partition urgent displace. Used as a context.

    Args:
        folder: new, with a short path; holds keys, states and logs.
        gpus: of each node.
    """

    def __init__(self, folder: Path, nodes: int = 2, gpus: int = 8) -> None:
        assert len(str(folder)) <= _LONGEST_FOLDER, f"{folder}: too long for Slurm's Unix sockets"
        self.folder, self.nodes = folder, nodes
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{folder}/bin:{os.environ['PATH']}"}
        """What makes a Slurm command on the PATH speak to this cluster."""
        self._gpus = gpus
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Cluster:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def ask(self, *command: str) -> str:
        """What a Slurm command says."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def inside(self, name: str, *command: str) -> None:
        """Run a command that changes what a node has mounted."""
        space = f"/proc/{self._running[name].pid}/ns/mnt"
        subprocess.run(["nsenter", f"--mount={space}", *command], check=True, capture_output=True)

    def listeners(self, name: str) -> set[tuple[str, str]]:
        """Who listens on a node, but Slurm: the program, and the address with its port, * for all addresses."""
        space = f"/proc/{self._running[name].pid}/ns/net"
        asked = ["nsenter", f"--net={space}", "ss", "-Hltnp"]
        said = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
        found = {(_program(line), line.split()[3]) for line in said.splitlines()}
        return {(program, address) for program, address in found if program not in _OF_SLURM}

    def kill_node(self, name: str) -> None:
        """Crash a node with all that runs on it; slurmctld finds out after some 25 s, and requeues its jobs."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def fail_node(self, name: str) -> None:
        """Crash a node, and tell slurmctld at once, as a health check of the cluster does."""
        self.kill_node(name)
        self.ask("scontrol", "update", f"nodename={name}", "state=down", "reason=failed")

    def kill_controller(self) -> None:
        """Crash slurmctld: jobs run on, and no command of Slurm is answered."""
        self.kill_node("slurmctld")

    def start_controller(self) -> None:
        """Start slurmctld again with what it knew."""
        self._run("slurmctld", *self._in_switch().split(), "slurmctld", "-D", "-f", f"{self.folder}/slurm.conf")
        self._until(lambda: self._ready() == set(self._running) & set(self._names()), "slurmctld does not answer")

    def start_node(self, name: str) -> None:
        """Boot a node, and wait until it answers."""
        self._boot(name)
        self._until(lambda: self._ready() == set(self._running) & set(self._names()), f"{name} does not answer")

    def wake(self) -> None:
        """Start what does not run."""
        if "slurmctld" not in self._running:
            self.start_controller()
        for name in self._names():
            if name not in self._running:
                self.start_node(name)

    def rest(self) -> None:
        """Cancel all jobs, and wait until nothing of them is left; a node where one still ends takes no other."""
        self.ask("scancel", "--user=root")
        self._until(lambda: set(self._states().values()) == {"idle"}, "the nodes do not become idle")

    def _start(self) -> None:
        for name in ("bin", "dev", "log", "spool", "state"):
            (self.folder / name).mkdir()
        self._write_settings()
        self._run("munged", *self._munged())
        self._run("switch", "unshare", "--net", "bash", "-c", self._filled(_SWITCH))
        self._until((self.folder / "switch.up").exists, "no network namespace")
        self._until((self.folder / "munge.socket").exists, "munged does not listen")
        for name in _CLIENTS:
            client = self.folder / "bin" / name
            real = shutil.which(name)
            # Within a job a command is where it must be already.
            client.write_text(
                f'#!/bin/sh\n[ -n "$SLURMD_NODENAME" ] || in="{self._in_switch()}"\nexec $in {real} "$@"\n'
            )
            client.chmod(0o755)
        self._run("slurmctld", *self._in_switch().split(), "slurmctld", "-D", "-c", "-f", f"{self.folder}/slurm.conf")
        for name in self._names():
            self._boot(name)
        self._until(lambda: len(self._ready()) == self.nodes, "the nodes do not answer")

    def _stop(self) -> None:
        for name in reversed(self._running):
            self._running[name].kill()
        for process in self._running.values():
            process.wait()

    def _boot(self, name: str) -> None:
        script = self._filled(_NODE, name=name, address=address_of(name))
        apart = ("--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc", "--kill-child=KILL")
        self._run(name, "unshare", *apart, "bash", "-c", script)
        ours, its = os.readlink("/proc/self/ns/net"), Path(f"/proc/{self._running[name].pid}/ns/net")
        self._until(lambda: os.readlink(its) != ours, f"{name} has no network namespace")
        plug = f"v{name}"
        self._in_net("ip", "link", "del", plug, check=False)  # of the node before it was killed
        pid = str(self._running[name].pid)
        self._in_net("ip", "link", "add", plug, "type", "veth", "peer", "name", "eth0", "netns", pid)
        self._in_net("ip", "link", "set", plug, "master", "br0", "up")

    def _write_settings(self) -> None:
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        # Each GPU must be a character device; links to one do.
        for number in range(self._gpus):
            (self.folder / "dev" / f"nvidia{number}").symlink_to("/dev/null")
        devices = f"{self.folder}/dev/nvidia[0-{self._gpus - 1}]"
        nodes = f"node[1-{self.nodes}]"
        (self.folder / "gres.conf").write_text(f"NodeName={nodes} AutoDetect=off Name=gpu File={devices}\n")
        conf, hosts = self._filled(_CONF, host=socket.gethostname(), nodes=self.nodes), ["127.0.0.1 localhost"]
        for number, name in enumerate(self._names(), start=1):
            where = f"NodeHostname={name} NodeAddr={address_of(name)} Port={20000 + number}"
            conf += f"NodeName={name} {where} CPUs=96 RealMemory=1000000 Gres=gpu:{self._gpus}\n"
            hosts.append(f"{address_of(name)} {name}")
        (self.folder / "slurm.conf").write_text(conf)
        (self.folder / "hosts").write_text("\n".join(hosts) + "\n")

    def _munged(self) -> list[str]:
        files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munge.pid", "seed-file": "munge.seed"}
        named = {**files, "log-file": "log/munged.log"}
        return ["munged", "--foreground", *(f"--{option}={self.folder}/{name}" for option, name in named.items())]

    def _ready(self) -> set[str]:
        return {name for name, state in self._states().items() if state in _READY}

    def _states(self) -> dict[str, str]:
        environment = {**os.environ, **self.environment}
        # It fails, and says nothing, until slurmctld listens.
        asked = ["sinfo", "-h", "-N", "-o", "%N %T"]
        said = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False)
        return {name: state for name, state in map(str.split, said.stdout.splitlines())}

    def _until(self, holds: Callable[[], bool], why: str) -> None:
        deadline = time.monotonic() + 60
        while not holds():
            ended = [name for name, process in self._running.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                logs = "".join(path.read_text(errors="replace")[-2000:] for path in (self.folder / "log").iterdir())
                raise RuntimeError(f"{why}; ended: {', '.join(ended) or 'none'}\n{logs}")
            time.sleep(0.05)

    def _run(self, name: str, *command: str) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
        with open(self.folder / "log" / f"{name}.out", "ab") as log:
            self._running[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                env={**environment, "SLURM_CONF": f"{self.folder}/slurm.conf"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _in_net(self, *command: str, check: bool = True) -> None:
        subprocess.run([*self._in_switch().split(), *command], check=check, capture_output=True)

    def _in_switch(self) -> str:
        return f"nsenter --net=/proc/{self._running['switch'].pid}/ns/net"

    def _filled(self, template: str, **values: object) -> str:
        return template.format(folder=self.folder, controller=_CONTROLLER, **values)

    def _names(self) -> list[str]:
        return [f"node{number}" for number in range(1, self.nodes + 1)]


def _program(line: str) -> str:
    """Of a line of ss, which ends with users:(("NAME",pid=…."""
    return line.split('"')[1] if '"' in line else "?"


def address_of(name: str) -> str:
    """Of a node."""
    return f"10.77.0.{10 + int(name.removeprefix('node'))}"
