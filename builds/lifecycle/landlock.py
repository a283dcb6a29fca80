"""Landlock: what of the file system and which TCP ports a process and its children may use."""

import ctypes
import os
import stat
from collections.abc import Iterable

# The same numbers on every architecture that has Landlock.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_RULE, _NET_PORT_RULE = 1, 1, 2
_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1, 2
_SET_NO_NEW_PRIVS = 38
# The first versions that know about ports, and about signals to processes outside.
NETWORK_ABI, SIGNAL_ABI = 4, 6

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK, _TRUNCATE, _IOCTL_DEV = 1 << 6, 1 << 11, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
READ = _EXECUTE | _READ_FILE | _READ_DIR
DEVICE = _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV
# Rights that a version brought, as the number of all until then.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}

_libc = ctypes.CDLL(None, use_errno=True)


class _RulesetAttributes(ctypes.Structure):
    _fields_ = [
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    ]


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


class _PortRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64)]


def abi() -> int:
    """The kernel's Landlock version; 0 where it has none."""
    return max(0, _libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG))


def all_rights() -> int:
    """Every right over files that this kernel can withhold."""
    return (1 << _RIGHTS[min(abi(), max(_RIGHTS))]) - 1


def write_rights() -> int:
    """What a program may do in a directory of its own: everything but make devices."""
    return all_rights() & ~(_MAKE_CHAR | _MAKE_BLOCK)


def restrict_ports(*, connect: Iterable[int], bind: Iterable[int]) -> None:
    """Forbid this process, for good, all TCP ports but these. Raises OSError.

    To be called in a child before it executes; UDP, and with it DNS, is not touched. Rights over
    files are not handled: a ruleset with them would forbid the mounts of bubblewrap.
    """
    attributes = _RulesetAttributes(0, _BIND_TCP | _CONNECT_TCP, 0)
    ruleset = _create(attributes, 16)
    _allow_ports(ruleset, connect=connect, bind=bind)
    _enforce(ruleset)


def restrict(
    files: Iterable[tuple[str, int]], *, connect: Iterable[int], bind: Iterable[int]
) -> None:
    """Forbid this process, for good, everything but these. Raises OSError.

    `files` are paths with what may be done below them. Signals and abstract sockets stay among the
    process and its children where the kernel knows that.
    """
    attributes = _RulesetAttributes(all_rights(), _BIND_TCP | _CONNECT_TCP, 0)
    has_scopes = abi() >= SIGNAL_ABI
    if has_scopes:
        attributes.scoped = _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS
    ruleset = _create(attributes, 24 if has_scopes else 16)
    for path, rights in files:
        _allow_path(ruleset, path, rights)
    _allow_ports(ruleset, connect=connect, bind=bind)
    _enforce(ruleset)


def _create(attributes: _RulesetAttributes, size: int) -> int:
    return _checked(_libc.syscall(_CREATE_RULESET, ctypes.byref(attributes), size, 0))


def _allow_path(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        rule = _PathRule(rights & all_rights(), descriptor)
        _checked(_libc.syscall(_ADD_RULE, ruleset, _PATH_RULE, ctypes.byref(rule), 0))
    finally:
        os.close(descriptor)


def _allow_ports(ruleset: int, *, connect: Iterable[int], bind: Iterable[int]) -> None:
    for right, ports in ((_CONNECT_TCP, connect), (_BIND_TCP, bind)):
        for port in ports:
            rule = _PortRule(right, port)
            _checked(_libc.syscall(_ADD_RULE, ruleset, _NET_PORT_RULE, ctypes.byref(rule), 0))


def _enforce(ruleset: int) -> None:
    _checked(_libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
