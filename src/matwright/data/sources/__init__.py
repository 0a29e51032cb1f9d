"""Reading crystals and their values from the files people have: one file of this folder for each kind of source."""

from matwright.data.sources.opening import Source, existing_columns, is_frames, open_source

__all__ = ["Source", "existing_columns", "is_frames", "open_source"]
