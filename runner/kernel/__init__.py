"""Kernels: how they are started or forked, and what runs inside one."""
