"""Placeholder MP4 files: well-formed boxes without a video."""

from __future__ import annotations

import struct


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


def video(job_id: str, index: int) -> bytes:
    """The bytes of video `index` (0-3) of a job; each one differs."""
    brand = _box(b"ftyp", b"isom" + struct.pack(">I", 512) + b"isomiso2mp41")
    header = struct.pack(">IIIII", 0, 0, 0, 1000, 0) + struct.pack(">IH", 0x00010000, 0x0100) + bytes(10)
    header += struct.pack(">9I", 0x00010000, 0, 0, 0, 0x00010000, 0, 0, 0, 0x40000000) + bytes(24)
    movie = _box(b"moov", _box(b"mvhd", header + struct.pack(">I", 1)))
    note = f"SANDBOX {job_id} {index}: a placeholder without a video. ".encode()
    return brand + movie + _box(b"free", note) + _box(b"mdat", (note * 64)[:2048])
