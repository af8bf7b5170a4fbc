"""Volumes of NIfTI, DICOM and TIFF files: turned one way, slices in order, read one after the other."""
