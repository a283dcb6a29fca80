"""Landlock rules for TCP: which ports a process and its children may connect to or bind.

Only network rights are handled: a ruleset with file rights would forbid the mounts of bubblewrap.
"""

import ctypes
import os
from collections.abc import Iterable

# The same numbers on every architecture that has Landlock.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _NET_PORT_RULE = 1, 2
_BIND_TCP, _CONNECT_TCP = 1, 2
_SET_NO_NEW_PRIVS = 38
# The first version that knows about ports.
NETWORK_ABI = 4

_libc = ctypes.CDLL(None, use_errno=True)


class _RulesetAttributes(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64)]


class _PortRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64)]


def abi() -> int:
    """The kernel's Landlock version; 0 where it has none."""
    return max(0, _libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG))


def restrict_ports(*, connect: Iterable[int], bind: Iterable[int]) -> None:
    """Forbid this process, for good, all TCP ports but these. Raises OSError.

    To be called in a child before it executes; UDP, and with it DNS, is not touched.
    """
    attributes = _RulesetAttributes(0, _BIND_TCP | _CONNECT_TCP)
    size = ctypes.sizeof(attributes)
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, ctypes.byref(attributes), size, 0))
    for right, ports in ((_CONNECT_TCP, connect), (_BIND_TCP, bind)):
        for port in ports:
            rule = _PortRule(right, port)
            _checked(_libc.syscall(_ADD_RULE, ruleset, _NET_PORT_RULE, ctypes.byref(rule), 0))
    _checked(_libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
