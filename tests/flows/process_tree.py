"""The process tree of a build as the kernel shows it: who listens where, and who has which environment."""

import ipaddress
import os
import socket
from collections.abc import Iterator

import psutil


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all that descend from it, and all orphans of the sessions that those lead."""
    try:
        root = psutil.Process(pid)
        found = {process.pid: process for process in [root, *root.children(recursive=True)]}
    except psutil.NoSuchProcess:
        return []
    for process in psutil.process_iter():
        try:
            session = os.getsid(process.pid)
        except ProcessLookupError:
            continue
        if session in found and session != pid:
            found.setdefault(process.pid, process)
    return list(found.values())


def listening(processes: list[psutil.Process]) -> Iterator[tuple[psutil.Process, str, int]]:
    """Yield who listens at which address and port, TCP and UDP."""
    for process in processes:
        try:
            for found in process.net_connections("inet"):
                waits = found.status == psutil.CONN_LISTEN or (found.type == socket.SOCK_DGRAM and not found.raddr)
                if found.laddr and waits:
                    yield process, found.laddr.ip, found.laddr.port
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def is_loopback(address: str) -> bool:
    """Tell whether only this machine reaches that address."""
    ip = ipaddress.ip_address(address)
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback


def environments(processes: list[psutil.Process]) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """Yield the environment that each process was started with."""
    for process in processes:
        try:
            yield process, process.environ()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def commands(processes: list[psutil.Process]) -> list[str]:
    """Return the arguments of each process that is still there."""
    found = []
    for process in processes:
        try:
            found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
