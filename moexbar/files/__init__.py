"""What a compilation leaves on disk, and how it is read back (docs/formats.md)."""
