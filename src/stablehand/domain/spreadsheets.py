"""Spreadsheets: lines of comma-separated values (RFC 4180) that no spreadsheet takes for anything but values."""

import csv
import io
from collections.abc import Iterable

#: What a cell must not begin with: spreadsheets take it for a formula and carry it out. After
#: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_line(cells: Iterable[object]) -> str:
    """One line with its end. Texts that look like formulas get an apostrophe before them; None is empty."""
    out = io.StringIO()
    csv.writer(out).writerow([_harmless(cell) for cell in cells])
    return out.getvalue()


def _harmless(cell: object) -> object:
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA):
        return "'" + cell
    return cell
