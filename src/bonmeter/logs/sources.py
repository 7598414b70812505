"""The bytes of a log: a file or standard input, decompressed as often as it was compressed."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bonmeter.logs.problems import LogProblem

__all__ = ["STANDARD_INPUT", "first_bytes", "is_zip", "open_source", "source_name", "zip_members"]

STANDARD_INPUT = "-"

DECOMPRESS: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""First bytes of a compressed file -> what reads it."""

DEEPEST = 8
"""How often a file may be compressed."""

GROWTH = 200
"""How many times its size a compressed file may have when it is unpacked; logs have at most 50."""

AT_ONCE = 1 << 18
"""Bytes read at once."""

HARMLESS = 1 << 28
"""Bytes that a file may have unpacked, whatever its size."""

ZSTANDARD = b"\x28\xb5\x2f\xfd"

UTF = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order mark -> encoding; that of UTF-32 begins with that of UTF-16."""


def source_name(path: str) -> str:
    """What messages call the file.

    Examples:
        >>> source_name("-")
        '<stdin>'
    """
    return "<stdin>" if path == STANDARD_INPUT else path


@contextmanager
def open_source(path: str) -> Iterator[IO[bytes]]:
    """The decompressed bytes of `path`, which may be `-` for standard input, without a BOM.

    Args:
        path: the file; gzip, bzip2 and xz are found by content, also one within another.

    Yields:
        A buffered binary stream.

    Raises:
        LogProblem: if the file cannot be opened or decompressed, then or while it is read.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a").write_bytes(gzip.compress(gzip.compress(b"text")))
        ...     with open_source(f"{folder}/a") as stream:
        ...         stream.read()
        b'text'
    """
    try:
        with _raw(path) as raw:
            yield _without_bom(_decompressed(raw))
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise LogProblem(
            f"{source_name(path)}: the compressed data are cut off or damaged ({error})"
        ) from None
    except OSError as error:
        raise LogProblem(f"{source_name(path)}: cannot be read ({error.strerror})") from None


@contextmanager
def _raw(path: str) -> Iterator[IO[bytes]]:
    if path == STANDARD_INPUT:
        yield sys.stdin.buffer
    else:
        with Path(path).open("rb") as stream:
            yield stream


class _Counted(io.RawIOBase):
    """Bytes that are counted; unpacked ones must not be too many for the packed they came from."""

    def __init__(self, stream: IO[bytes], packed: _Counted | None = None) -> None:
        self.stream, self.packed, self.size = stream, packed, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever can be written
        count: int = self.stream.readinto(buffer)  # type: ignore[attr-defined]  # not in IO
        self.size += count
        if self.packed is not None:
            _reject_bomb(self.size, self.packed.size)
        return count


def _reject_bomb(size: int, packed: int) -> None:
    if size > HARMLESS and size > GROWTH * packed:
        raise OSError(
            0,
            f"{packed:,} bytes unpack to {size:,} or more: expected {GROWTH} times as many at most",
        )


def _decompressed(raw: IO[bytes]) -> IO[bytes]:
    packed = stream = _Counted(raw)
    for _ in range(DEEPEST):
        buffered = io.BufferedReader(stream, AT_ONCE)
        start = buffered.peek(8)
        if start.startswith(ZSTANDARD):
            raise OSError(0, "it is compressed with zstd: decompress it first")
        opener = next((DECOMPRESS[magic] for magic in DECOMPRESS if start.startswith(magic)), None)
        if opener is None:
            return buffered
        stream = _Counted(opener(buffered), packed)
    raise OSError(0, f"it is compressed more than {DEEPEST} times over")


def _without_bom(stream: IO[bytes]) -> IO[bytes]:
    start = first_bytes(stream)
    if start.startswith(codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
    for mark, encoding in UTF.items():
        if start.startswith(mark):
            return io.BufferedReader(io.BytesIO(_as_utf_8(stream.read(), encoding)))
    return stream


def _as_utf_8(data: bytes, encoding: str) -> bytes:
    try:
        return data.decode(encoding).encode()
    except UnicodeError as error:
        raise OSError(0, f"not {encoding.upper()} text, as which it begins: {error}") from None


def first_bytes(stream: IO[bytes]) -> bytes:
    """The first four bytes, by which a file tells what it is, left to be read.

    Examples:
        >>> first_bytes(io.BufferedReader(io.BytesIO(b"PAR1 and more")))
        b'PAR1'
    """
    start: bytes = stream.peek(4)[:4]  # type: ignore[attr-defined]  # all that is opened is buffered
    return start


def is_zip(stream: IO[bytes]) -> bool:
    """Whether the stream begins as a zip archive does.

    Examples:
        >>> is_zip(io.BufferedReader(io.BytesIO(b"PAR1")))
        False
    """
    return first_bytes(stream) == b"PK\x03\x04"


def zip_members(stream: IO[bytes]) -> dict[str, bytes]:
    """The members of a zip archive by name.

    Examples:
        >>> packed = io.BytesIO()
        >>> with zipfile.ZipFile(packed, "w") as archive:
        ...     archive.writestr("a.json", "{}")
        >>> zip_members(io.BytesIO(packed.getvalue()))
        {'a.json': b'{}'}
    """
    data = stream.read()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        _reject_bomb(sum(member.file_size for member in archive.infolist()), len(data))
        return {name: archive.read(name) for name in sorted(archive.namelist())}
