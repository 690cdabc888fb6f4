"""Ctrl-C ends a program once, wherever it comes, and never with a traceback."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
import time
from collections.abc import Callable

import pytest

from configs.interrupt import interruptible


def press() -> None:
    """Ctrl-C, here and now."""
    signal.raise_signal(signal.SIGINT)


def press_in_a_callback() -> None:
    """Within compiled code, where the interpreter has nowhere to raise to."""
    ctypes.CFUNCTYPE(None)(press)()


class _PressesWhenGone:
    def __del__(self) -> None:
        press()


def press_in_a_finaliser() -> None:
    """While an object is taken apart."""
    _PressesWhenGone()


def press_where_everything_is_caught() -> None:
    """In a library that means well."""
    try:
        press()
    except BaseException:
        return


def press_where_it_becomes_another_error() -> None:
    """In a library that has an error of its own for it."""
    try:
        press()
    except BaseException as error:
        raise RuntimeError("no compiled object yet") from error


@pytest.mark.parametrize(
    "pressed",
    [
        press,
        press_in_a_callback,
        press_in_a_finaliser,
        press_where_everything_is_caught,
        press_where_it_becomes_another_error,
    ],
)
def test_it_comes_through_from_wherever_it_is_pressed(
    pressed: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        with interruptible():
            pressed()
            time.sleep(60)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        work()
    assert time.monotonic() - began < 30
    assert capsys.readouterr().err == ""


def test_tidying_up_is_not_interrupted_again() -> None:
    tidied = []

    def work() -> None:
        with interruptible():
            try:
                press()
            finally:
                time.sleep(0.7)  # longer than it waits before it comes again
                tidied.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert tidied == [True]


def test_work_that_gets_to_its_end_all_the_same_is_done() -> None:
    with interruptible():
        press_where_everything_is_caught()
    time.sleep(0.5)  # nothing comes later


def test_an_error_without_it_stays_an_error() -> None:
    with pytest.raises(ValueError, match="a bug"), interruptible():
        raise ValueError("a bug")


def test_other_errors_without_a_place_are_told_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: told.append(unraisable.exc_type))

    def fail() -> None:
        raise ValueError

    with interruptible():
        ctypes.CFUNCTYPE(None)(fail)()
    assert told == [ValueError]


def test_afterwards_it_is_as_it_was() -> None:
    before = sys.unraisablehook
    with interruptible():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert sys.unraisablehook is before


def test_where_it_is_ignored_it_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            press()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_another_thread_leaves_it_to_the_main_one() -> None:
    handlers = []

    def work() -> None:
        with interruptible():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
