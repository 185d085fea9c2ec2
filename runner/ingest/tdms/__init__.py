"""TDMS of LabVIEW: segments, scales, time bases and waveforms."""
