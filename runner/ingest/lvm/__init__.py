"""LVM, the text files of LabVIEW."""

__all__ = ["lvm_converter"]
