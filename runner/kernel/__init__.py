"""Kernels: how they are started or forked, and what runs inside one."""

__all__ = ["kernels", "memory", "messages", "sandbox", "warm"]
