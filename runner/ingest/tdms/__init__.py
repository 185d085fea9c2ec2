"""TDMS of LabVIEW: segments, scales, time bases and waveforms."""

__all__ = ["tdms_converter"]
