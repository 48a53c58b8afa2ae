#!/usr/bin/env python3
"""Unpacks the text of Debian's bible-kjv-text, for scripts/text.

  text.py bible.data --characters N -o FILE

The package's file is a heading, which ends with the number of blocks, a table of big-endian 32-bit positions, and
between each two of these a block in the format of compress(1) without its three bytes of heading. Unpacked, it is a
title and then a verse a line: "Ge1:1 In the beginning ...". What is written are the verses without "Ge1:1 ", cut after
N characters.
"""
import argparse
import pathlib
import struct
import subprocess

COMPRESS_HEADING = b"\x1f\x9d\x90"
TABLE_AT = 0x5C


def blocks(data):
    (count,) = struct.unpack_from(">I", data, TABLE_AT - 4)
    positions = struct.unpack_from(f">{count + 1}I", data, TABLE_AT)
    for begin, end in zip(positions, positions[1:]):
        yield subprocess.run(["gzip", "-dc"], input=COMPRESS_HEADING + data[begin:end], stdout=subprocess.PIPE,
                             check=True).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--characters", type=int, required=True)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    lines = b"".join(blocks(arguments.data.read_bytes())).decode("ascii").splitlines()
    verses = "".join(line.partition(" ")[2] + "\n" for line in lines[1:])
    arguments.output.write_text(verses[:arguments.characters], encoding="ascii")


if __name__ == "__main__":
    main()
