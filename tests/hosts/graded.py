"""Functions that workers are asked to run: honest ones and every way to misbehave."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Point:
    x: int


class OwnError(Exception):
    pass


class StubbornError(Exception):
    """Pickles, but cannot be built again."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def add(a: int, b: int) -> int:
    return a + b


def same(value: Any) -> Any:
    return value


def pid() -> int:
    return os.getpid()


def spin() -> None:
    while True:
        pass


def spin_in_native_code() -> int:
    """One call of the interpreter that never looks at signals."""
    return sum(range(10**18))


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def sleep_deafly(seconds: float) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(seconds)


def leave() -> None:
    os._exit(7)


def exit_politely() -> None:
    sys.exit(3)


def close_everything_and_sleep() -> None:
    os.closerange(3, 256)
    time.sleep(3600)


def raise_value_error(text: str) -> None:
    raise ValueError(text)


def raise_own_error() -> None:
    raise OwnError("code", 5)


def raise_stubborn() -> None:
    raise StubbornError(1, 2)


def raise_failure() -> None:
    from palestra import Failure

    raise Failure("judge", "down", retryable=True)


def lambda_result() -> Any:
    return lambda: 1


def talk() -> str:
    print("to the answers?", flush=True)
    sys.stdout.write("x" * 100_000)
    os.write(1, b"raw bytes")
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    return "said"


def read_input() -> str:
    return sys.stdin.read() + os.read(0, 100).decode()


def use_cpu(seconds: float) -> float:
    began = time.process_time()
    while time.process_time() - began < seconds:
        pass
    return seconds
