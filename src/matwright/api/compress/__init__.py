"""Compress: a trained ensemble in one smaller network, its student, with what that costs and what it saves."""

from matwright.api.compress.result import TABLE_FILE, CompressResult, CompressSettings, FormReport
from matwright.api.compress.run import compress

__all__ = ["TABLE_FILE", "CompressResult", "CompressSettings", "FormReport", "compress"]
