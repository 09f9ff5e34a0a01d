"""What a compilation's figures become where the chip's assumed numbers are others."""
