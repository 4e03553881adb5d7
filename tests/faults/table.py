"""table.py FILE...: prints a line for each test in GoogleTest's XML that says which fault it tried."""

import sys
import textwrap
import xml.etree.ElementTree

COLUMNS = (
    ("fault", "fault", 40),
    ("requests", "requests, and what they got (how often)", 66),
    ("lost", "lost", 24),
    ("test", "test", 7),
)


def rows(paths):
    for path in paths:
        for case in xml.etree.ElementTree.parse(path).iter("testcase"):
            # Older versions of GoogleTest write properties as attributes.
            told = {key: case.get(key) for key, _, _ in COLUMNS if case.get(key) is not None}
            told.update((each.get("name"), each.get("value")) for each in case.iter("property"))
            skipped = case.find("skipped")
            if skipped is not None:
                yield {"fault": case.get("name"), "requests": skipped.get("message", ""), "test": "skipped"}
            elif "fault" in told:
                yield {**told, "test": "failed" if case.find("failure") is not None else "passed"}


def lines(text, width):
    return [line for part in text.split("; ") for line in textwrap.wrap(part, width)] or [""]


def main():
    print("  ".join(title.ljust(width) for _, title, width in COLUMNS).rstrip())
    for row in rows(sys.argv[1:]):
        cells = [lines(row.get(key, ""), width) for key, _, width in COLUMNS]
        for at in range(max(map(len, cells))):
            texts = (cell[at] if at < len(cell) else "" for cell in cells)
            print("  ".join(text.ljust(width) for text, (_, _, width) in zip(texts, COLUMNS)).rstrip())


if __name__ == "__main__":
    main()
