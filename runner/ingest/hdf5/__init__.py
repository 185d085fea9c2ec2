"""HDF5 archives: any tree of groups and datasets."""

__all__ = ["h5archive"]
