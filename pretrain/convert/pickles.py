"""The one list of what a pickle that somebody else wrote may name; nothing else in it is looked up, let alone called.

A pickle is a program: it names functions and has them called. What is named here builds plain values, or is replaced
by something inert. Anything else is refused by name before the first byte of a tensor is read.
"""

from __future__ import annotations

import errno
import pickle
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import torch

from configs.errors import UserError

_Allowed = Mapping[tuple[str, str], Any]

_DAMAGED = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    OverflowError,
    RecursionError,
    RuntimeError,
)
"""What reading a pickle raises that was cut short or written over."""


class Inert:
    """Stands for what a pickle names and nobody here needs; whatever it is built of is forgotten."""

    def __new__(cls, *_: Any, **__: Any) -> Inert:
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass


class Record:
    """An object of a class that is not imported: what was written of it."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __getitem__(self, name: str) -> Any:
        """One of its attributes; a KeyError where it has none of that name."""
        return self.state[name]


class DcpMetadata(Record):
    """`torch.distributed.checkpoint.metadata.Metadata`."""


class DcpTensor(Record):
    """`TensorStorageMetadata`: size, chunks and properties, of which the first is the number format."""


class DcpBytes(Record):
    """`BytesStorageMetadata`: something that is no tensor."""


_DCP = "torch.distributed.checkpoint"
_MEGATRON = "megatron.core.dist_checkpointing.strategies.torch"

_DTYPES = ("float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
_INTEGERS = ("uint8", "int8", "int16", "int32", "int64", "bool")

_METADATA: _Allowed = {
    (f"{_DCP}.metadata", "Metadata"): DcpMetadata,
    (_MEGATRON, "MCoreMetadata"): DcpMetadata,
    (f"{_DCP}.metadata", "TensorStorageMetadata"): DcpTensor,
    (f"{_DCP}.metadata", "BytesStorageMetadata"): DcpBytes,
    **{(f"{_DCP}.metadata", name): Record for name in ("MetadataIndex", "ChunkStorageMetadata", "TensorProperties")},
    (f"{_DCP}.filesystem", "_StorageInfo"): Record,
    (f"{_DCP}.metadata", "StorageMeta"): Inert,
    (f"{_DCP}.metadata", "_MEM_FORMAT_ENCODING"): Inert,
    ("torch.serialization", "_get_layout"): Inert,
    # Plans of the ranks that saved, which megatron-core keeps so as to save faster the next time.
    **{(f"{_DCP}.planner", name): Inert for name in ("SavePlan", "WriteItem", "WriteItemType", "TensorWriteData")},
    (_MEGATRON, "MCoreSavePlan"): Inert,
    ("torch", "Size"): tuple,
    **{("torch", name): getattr(torch, name) for name in (*_DTYPES, *_INTEGERS)},
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "defaultdict"): defaultdict,
    ("builtins", "dict"): dict,
    ("builtins", "list"): list,
    ("builtins", "set"): set,
    ("pathlib", "PosixPath"): Inert,
}
"""torch.distributed.checkpoint's `.metadata`, as torch 2.6 to 2.13 and megatron-core up to 0.19 write it."""


_MEGATRON_COMMON = ("argparse.Namespace", "types.SimpleNamespace", "pathlib.PosixPath")


def in_megatron_common(name: str) -> bool:
    """Whether a name may stand in Megatron's `common.pt`: its settings are pickled there whole, and nobody reads them.

    >>> in_megatron_common("megatron.core.enums.ModelType"), in_megatron_common("posix.system")
    (True, False)
    """
    return name.startswith("megatron.") or name in _MEGATRON_COMMON


class LossScaler:
    """Stands for DeepSpeed's loss scaler of the same name, or its dynamic one: what it holds is not looked at."""

    def __init__(self) -> None:
        self.cur_scale, self.dynamic = 1.0, False


class DynamicLossScaler:
    """As DeepSpeed's of the same name is before the first step, with DeepSpeed's default settings.

    Source: DeepSpeed 0.19.8, runtime/precision_config.py (`initial_scale_power` 16, `loss_scale_window` 1000,
    `hysteresis` 2, `min_loss_scale` 1) and runtime/fp16/loss_scaler.py.
    """

    def __init__(self) -> None:
        self.cur_scale, self.dynamic = 2**16, True
        self.cur_iter, self.last_overflow_iter = 0, -1
        self.scale_factor, self.scale_window, self.min_scale = 2.0, 1000, 1
        self.delayed_shift = self.cur_hysteresis = 2
        self.consecutive_hysteresis, self.raise_error_at_min_scale = False, True
        self.dtype = torch.float16


@dataclass
class FragmentAddress:
    """Stands for DeepSpeed's `fragment_address`: where in a rank's partition its share of a parameter is."""

    numel: int
    start: int


_LOSS_SCALER = "deepspeed.runtime.fp16.loss_scaler"

DEEPSPEED: Mapping[str, type] = {
    f"{_LOSS_SCALER}.LossScaler": LossScaler,
    f"{_LOSS_SCALER}.DynamicLossScaler": LossScaler,
    "deepspeed.utils.tensor_fragment.fragment_address": FragmentAddress,
    # An enumeration of integers, which a pickle builds by calling it with one.
    "deepspeed.runtime.zero.config.ZeroStageEnum": int,
}
"""What DeepSpeed's own files name besides torch's tensors and plain values, and what stands for it."""


class _Reader(pickle.Unpickler):
    def __init__(self, file: BinaryIO, where: object, allowed: _Allowed) -> None:
        super().__init__(file)
        self._where, self._allowed = where, allowed

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            raise refusal(self._where, [f"{module}.{name}"], _SAVE_AGAIN)
        return self._allowed[module, name]


_SAVE_AGAIN = (
    "if you trust who wrote it, load it with the program that wrote it, save the weights alone, and convert that"
)


def refusal(where: object, names: list[str], way_out: str = _SAVE_AGAIN) -> UserError:
    """What is said of a pickle that names something else."""
    return UserError(
        f"{where}: this pickle asks for {', '.join(names)}, which is not on the list of what may be built "
        f"(pretrain/convert/pickles.py); nothing of it was run. {way_out[0].upper()}{way_out[1:]}"
    )


def read_metadata(path: Path) -> DcpMetadata:
    """The `.metadata` of a folder that torch.distributed.checkpoint wrote.

    Raises:
        UserError: if it names anything else than DCP's own classes, or is damaged.
    """
    try:
        with open(path, "rb") as file:
            found = _Reader(file, path, _METADATA).load()
    except _DAMAGED as error:
        raise UserError(f"{path}: damaged, not a pickle that can be read ({error})") from None
    if not isinstance(found, DcpMetadata):
        raise UserError(f"{path}: holds a {type(found).__name__}, not the metadata of a checkpoint")
    return found


def _nothing(_: str) -> bool:
    return False


def read_plain(
    file: Path | BinaryIO,
    where: object,
    may_name: Callable[[str], bool] = _nothing,
    *,
    stand_ins: Mapping[str, type] = MappingProxyType({}),
    device: str = "cpu",
    way_out: str = _SAVE_AGAIN,
) -> Any:
    """What torch.save wrote, of plain values and tensors; whatever else may be in it is inert.

    Args:
        may_name: of the names that torch itself would refuse, those that an inert value may stand for.
        stand_ins: by name, what stands for others.
        device: with `meta`, tensors know where their numbers lie and hold none.
        way_out: what to do about a pickle that is refused.
    Raises:
        UserError: if it names anything else, or is damaged.
    """
    try:
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(file)
        refused = [name for name in foreign if name not in stand_ins and not may_name(name)]
        if refused:
            raise refusal(where, refused, way_out)
        if not isinstance(file, Path):
            file.seek(0)
        allowed: list[Any] = [(stand_ins.get(name, Inert), name) for name in foreign]
        with torch.serialization.safe_globals(allowed):
            return torch.load(file, map_location=device, weights_only=True)
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise  # of the disk; torch looks before the beginning of a file that was cut off
        reason = str(error).split("\n", 1)[0]
        raise UserError(f"{where}: damaged, not a file that torch.save wrote ({reason})") from None
