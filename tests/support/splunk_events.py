"""How strictly a Splunk receiver of the tests reads what it is sent: events as concatenated JSON
objects, raw data as lines. Where Splunk's documentation leaves a choice it takes the narrower one,
so that what passes here passes everywhere."""

import json
import re

from splunk_codes import Refused

TIME = re.compile(r"\d{1,10}\.\d{3}")  # seconds with three decimals
TEXTS = ("host", "source", "sourcetype", "index")
KNOWN = {"time", "event", "fields", *TEXTS}
BLANK = re.compile(r"[ \t\r\n]*")


class Decimal(float):
    """One that keeps how it was written."""

    def __new__(cls, text):
        made = super().__new__(cls, text)
        made.text = text
        return made


def no_constant(text):
    raise ValueError(f"{text} is no JSON")


def no_pair_twice(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=no_constant,
                           object_pairs_hook=no_pair_twice)


def events(body, indexes, index_from=1):
    """The events up to the first that is refused, and the refusal or None. An event is named by its
    number, which counts from 0, of the code 7 from `index_from`: Splunk 10.4 counts that one from 1
    (measured), its documentation from 0."""
    text, broken = decoded(body)
    found, at = [], BLANK.match(text).end()
    if at == len(text) and not broken:
        return [], Refused(5)
    while at < len(text):
        try:
            event, at = DECODER.raw_decode(text, at)
            found.append(checked(event, indexes))
        except ValueError:
            return found, Refused(6, len(found))
        except Refused as why:
            first = index_from if why.code == 7 else 0
            return found, Refused(why.code, first + len(found))
        at = BLANK.match(text, at).end()
    return found, Refused(6, len(found)) if broken else None


def decoded(body):
    """Its text, UTF-8 and nothing else, and whether it breaks off for want of it."""
    try:
        return body.decode(), False
    except UnicodeDecodeError as error:
        return body[:error.start].decode(), True


def checked(event, indexes):
    """The event as it is kept."""
    if not isinstance(event, dict) or set(event) - KNOWN:
        raise Refused(6)
    if "event" not in event:
        raise Refused(12)
    if event["event"] in ("", None) or event["event"] == {}:
        raise Refused(13)
    time = event.get("time")
    if time is not None and not (isinstance(time, Decimal) and TIME.fullmatch(time.text)):
        raise Refused(6)
    if any(not isinstance(event.get(name, ""), str) for name in TEXTS):
        raise Refused(6)
    if indexes is not None and event.get("index", indexes[0]) not in indexes:
        raise Refused(7)
    check_fields(event.get("fields", {}))
    return {**event, "time": time.text if time is not None else None}


def check_fields(fields):
    """Flat: values are texts, numbers and booleans."""
    if not isinstance(fields, dict) or not all(fields):
        raise Refused(15)
    if any(not isinstance(value, (str, int, float)) for value in fields.values()):
        raise Refused(15)


def raw(body, parameters, indexes):
    """One event for each line that is not empty; what they have in common comes in the query."""
    about = {name: parameters[name] for name in ("time", *TEXTS) if name in parameters}
    if indexes is not None and about.get("index", indexes[0]) not in indexes:
        raise Refused(7)
    lines = [line for line in body.split(b"\n") if line.strip()]
    if not lines:
        raise Refused(5)
    return [{"time": None, **about, "event": line.decode(errors="replace")} for line in lines]
