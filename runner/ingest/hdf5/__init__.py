"""HDF5 archives: any tree of groups and datasets."""
