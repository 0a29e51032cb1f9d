"""The report of a design run: one page that opens anywhere, without a network, and prints well."""

from matwright.api.report.page import render_report

__all__ = ["render_report"]
