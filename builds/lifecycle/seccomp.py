"""A filter on system calls, for what Landlock does not know: which kinds of sockets may be made.

Programs that share a user id with the portal must not speak to its Unix sockets, nor change the
limits of its processes.
"""

import ctypes
import errno
import os
import platform
import socket
from collections.abc import Iterable
from dataclasses import dataclass

_SET_NO_NEW_PRIVS, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
# Where the kernel puts them: number of the call, architecture, the low half of the first argument.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_IO_URING_SETUP, _X32 = 425, 0x40000000


@dataclass(frozen=True)
class _Machine:
    architecture: int
    socket: int
    prlimit: int


_MACHINES = {
    "x86_64": _Machine(0xC000003E, socket=41, prlimit=302),
    "aarch64": _Machine(0xC00000B7, socket=198, prlimit=261),
}
NETWORK = (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)


class _Instruction(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("first", ctypes.POINTER(_Instruction))]


def is_known() -> bool:
    """Whether a filter can be made for this machine's architecture."""
    return platform.machine() in _MACHINES


def restrict_sockets(families: Iterable[int]) -> None:
    """Allow this process, for good, sockets of these families only. Raises OSError."""
    words = _filter(_MACHINES[platform.machine()], families)
    instructions = (_Instruction * len(words))(*(_Instruction(*word) for word in words))
    program = _Program(len(words), instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*arguments) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def _filter(machine: _Machine, families: Iterable[int]) -> list[tuple[int, int, int, int]]:
    """(code, instructions to skip if true, and if false, value) in order."""
    words = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        # Another set of calls under other numbers, and calls that go around this filter.
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
        (_EQUAL, 0, 1, _IO_URING_SETUP),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
        # Limits may be changed of the calling process, which is 0, and of no other.
        (_EQUAL, 0, 4, machine.prlimit),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 1, 0, 0),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
        (_EQUAL, 1, 0, machine.socket),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
    ]
    for family in families:
        words += [(_EQUAL, 0, 1, family), (_RETURN, 0, 0, _ALLOW)]
    return [*words, (_RETURN, 0, 0, _ERRNO | errno.EACCES)]
