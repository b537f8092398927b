"""Lines of any bytes: what devices write when they are broken, and what is nearly JSON. The same for each
kind of server: what arrives has to be text, in which only bytes that are no UTF-8 are replaced; where lines
may be JSON, each line that is an object may instead be that object."""

import json
import random

CHANCE = random.Random(3)
BYTES = bytes(byte for byte in range(256) if byte not in b"\r\n")

LINES = [b"%d " % number + bytes(CHANCE.choices(BYTES, k=60)) for number in range(400)]
LINES += [b"nul \0 esc \x1b[31m", "Ω 温度 🔧".encode(), b"cut \xe2\x82", b"\xed\xa0\x80 lone surrogate",
          b"\xef\xbb\xbfmark", b"\xf4\x90\x80\x80 beyond", b"\xc0\xaf overlong", b"\x7f\x80\xff", b'"\\']

# An object, beyond doubt.
OBJECTS = [b'{"a":1}', b' {"b":[1,{"c":null}]} ', '{"Ω":"温度 🔧"}'.encode(), rb'{"d":"\u0000\u001b[31m"}',
           b'{"e":-0.0}', b'{"n":{"n":{"n":true}}}']
# Looks like one, and may be one where bad bytes are replaced.
NEARLY = [b'{"f":"x\xff\x00y"}', b'{"g":"x\xffy"}', b'{"h\xff":1}', b'{"i":1}x', b'\xef\xbb\xbf{"j":1}',
          b'{"k":NaN}', b'{"l":1e999}', rb'{"m":"\ud800"}', b'{"o":"a\x1bb"}', b'{"p":01}', b'{"q":', b"{'r':1}",
          b'{"s":123456789012345678901234567890}', b"{" * 3000, b'{"t":' + b"[" * 15 + b"]" * 15 + b"}"]


def write(path, lines):
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def text(line):
    return line.decode(errors="replace")


def is_right(line, told):
    """Whether `told`, a text or an object, is what may become of the line; it may have more members."""
    if isinstance(told, str):
        return told == text(line) and line not in OBJECTS
    try:
        return all(told[name] == value for name, value in json.loads(text(line)).items())
    except (ValueError, KeyError):
        return False
