"""LVM, the text files of LabVIEW."""
