"""Reads, with the parser that XMPP servers use, what Bridge would write into a component's stream.

Standard input carries batches: the number of cases, then for each a letter, a flag and two byte
strings, the payload and what Bridge made of it. Numbers are four bytes, big-endian; a byte string
has its length before it. The answer to a batch is one byte string: a line "<case> <fault>" for each
case at fault. A batch of no cases ends the long stream, and is answered like any other.

The letters:
  o  only the stanza is judged
  r  besides, it must say what the raw payload says
  e  besides, it must say what the JSON payload asks for
  n  the other way round: the payload is refused for its grammar, so expat must refuse it too
The flag is 1 when the entry is old enough for a delay stamp, else 0.
"""
import json
import re
import struct
import sys
import traceback
from xml.parsers import expat

STREAMS = 'http://etherx.jabber.org/streams'
HEADER = b"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>"
FOOTER = b'</stream:stream>'
# Without the prefix "stream", which a payload must not count on.
BARE_HEADER = b"<s xmlns='jabber:component:accept'>"
BARE_FOOTER = b'</s>'
# ejabberd joins namespace and name by a line feed: expat refuses one inside a namespace's name.
SEPARATOR = '\n'

STANZAS = {'jabber:component:accept\n' + name for name in ('message', 'presence', 'iq')}
# The namespaces in which a stanza may come: Bridge leaves the declaration out.
STANZA_NAMESPACES = {'', 'jabber:client', 'jabber:component:accept'}
ORIGIN_ID = 'urn:xmpp:sid:0\norigin-id'
DELAY = 'urn:xmpp:delay\ndelay'
LANG = 'http://www.w3.org/XML/1998/namespace\nlang'

DOMAINS = {'app.example', 'other.example'}
DEFAULT_FROM = 'bot@app.example'
GENERATED_ID = 'b-0123456789abcdef-7'
FIELDS = {'to', 'from', 'id', 'type', 'body', 'subject', 'thread', 'lang', 'xml', 'stanza', 'ttl', 'expires', 'store', 'meta', 'at'}
HINTS = ('store', 'no-store', 'no-copy', 'no-permanent-store')

# More digits than a character can need are refused by Bridge alone.
LONG_REFERENCE = re.compile(rb'&#(x[0-9a-fA-F]{9,}|[0-9]{9,});')

# So that the names that expat remembers for a stream's whole life stay few.
LONG_STREAM_STANZAS = 20_000


class Refused(Exception):
    pass


def forbidden(*_):
    raise Refused('restricted XML: a comment, processing instruction or declaration')


def forbid_markup(parser):
    parser.CommentHandler = parser.ProcessingInstructionHandler = parser.XmlDeclHandler = forbidden
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ElementDeclHandler = forbidden
    parser.NotationDeclHandler = parser.SkippedEntityHandler = forbidden


def events_of(body, header=HEADER, footer=FOOTER):
    """The events of the only element between header and footer: (name, attributes), text, None for an end."""
    events = []
    append = events.append

    def start(name, attributes):
        append((name, attributes))

    def end(_):
        append(None)

    def text(characters):
        if type(events[-1]) is str:
            events[-1] += characters
        else:
            append(characters)

    def cdata():
        # An empty section is no text to expat, and yet must not stand beside the stanza.
        text('')

    parser = expat.ParserCreate('UTF-8', SEPARATOR)
    parser.ordered_attributes = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartCdataSectionHandler = cdata
    forbid_markup(parser)
    try:
        # In one piece with the footer: whatever the body leaves open would swallow that.
        parser.Parse(header + body + footer, True)
    except expat.ExpatError as fault:
        raise Refused(str(fault)) from None

    inside = events[1:-1]
    if not inside:
        raise Refused('no stanza')
    depth = 0
    last = len(inside) - 1
    for at, event in enumerate(inside):
        if event is None:
            depth -= 1
            if depth == 0 and at != last:
                raise Refused('something stands behind the stanza')
        elif type(event) is str:
            if depth == 0:
                raise Refused('text beside the stanza')
        else:
            depth += 1
            if event[0].startswith(STREAMS) and event[0][len(STREAMS)] == SEPARATOR:
                raise Refused('stream-level markup')
    if depth != 0:
        raise Refused('the stanza is not closed')
    return inside


def pairs(attributes):
    return list(zip(attributes[::2], attributes[1::2]))


def check_stanza(events):
    name, attributes = events[0]
    if name not in STANZAS:
        raise Refused('the name ' + repr(name))
    values = dict(pairs(attributes))
    if not values.get('to') or not values.get('id'):
        raise Refused("no 'to' or no 'id': " + repr(attributes))
    domain = values.get('from', '').split('/')[0].rpartition('@')[2]
    if domain not in DOMAINS:
        raise Refused("a foreign 'from': " + repr(attributes))


def neutral(event):
    """An element's event with one namespace in place of those in which a stanza may come."""
    if type(event) is not tuple:
        return event
    namespace, _, local = event[0].rpartition(SEPARATOR)
    return ('\n' + local, event[1]) if namespace in STANZA_NAMESPACES else event


def children(events):
    """The names of the root's child elements."""
    names, depth = [], 0
    for event in events:
        if event is None:
            depth -= 1
        elif type(event) is tuple:
            if depth == 1:
                names.append(event[0])
            depth += 1
    return names


def expect(what, expected, actual):
    if expected != actual:
        raise Refused(f'{what}: {expected!r} became {actual!r}')


def split_delay(events):
    """Events without a delay stamp of Bridge's own at their end, and whether there was one."""
    if len(events) > 1 and events[-1] is None and type(events[-2]) is tuple and events[-2][0] == DELAY:
        values = dict(pairs(events[-2][1]))
        if set(values) == {'from', 'stamp'} and values['from'] == 'app.example':
            return events[:-2], True
    return events, False


def compare_raw(payload, events, stamped):
    """stamped: whether a stamp must be there, where nothing speaks against it; None where unknown."""
    given = events_of(payload.strip(b' \t\r\n'), BARE_HEADER, BARE_FOOTER)
    names = children(given)
    root = pairs(given[0][1])
    if given[0][0] != events[0][0]:
        given = [neutral(event) for event in given]
        events = [neutral(event) for event in events]
    expect("the stanza's name", given[0][0], events[0][0])

    values = dict(root)
    added = [] if 'from' in values else [('from', DEFAULT_FROM)]
    own_id = values.get('id', '') != ''
    if not own_id:
        added.append(('id', GENERATED_ID))
        root = [attribute for attribute in root if attribute[0] != 'id']
    expect("the stanza's attributes", added + root, pairs(events[0][1]))

    content = given[1:-1]
    rest = events[1:-1]
    expect('the content', content, rest[:len(content)])
    rest = rest[len(content):]
    is_message = given[0][0].endswith('\nmessage')
    if is_message and not own_id and ORIGIN_ID not in names:
        expect('the origin-id', [(ORIGIN_ID, ['id', GENERATED_ID]), None], rest[:2])
        rest = rest[2:]
    rest, has_stamp = split_delay(rest)
    expect('what stands at the end', [], rest)
    may_have_stamp = is_message and DELAY not in names
    if has_stamp and not may_have_stamp:
        raise Refused('a delay stamp that should not be there')
    if stamped is not None:
        expect('the delay stamp', stamped and may_have_stamp, has_stamp)


def compare_envelope(payload, events):
    # Numbers stay text: some are longer than Python likes to convert.
    fields = json.loads(payload.decode('utf-8'), object_pairs_hook=list, parse_int=str, parse_float=str)
    asked = dict(fields)
    if len(asked) != len(fields) or not set(asked) <= FIELDS:
        raise Refused('a field that is unknown or stands twice')
    asked = {name: value for name, value in asked.items() if value is not None}
    if 'stanza' in asked:
        extra = set(asked) - {'stanza', 'ttl', 'expires', 'meta', 'at'}
        if extra:
            raise Refused(f"fields beside 'stanza': {extra}")
        compare_raw(asked['stanza'].encode('utf-8'), events, None)
        return

    identity = asked.get('id') or GENERATED_ID
    attributes = ['from', asked.get('from', DEFAULT_FROM), 'to', asked['to'], 'id', identity, 'type', asked.get('type', 'chat')]
    if 'lang' in asked:
        attributes += [LANG, asked['lang']]
    expected = [('jabber:component:accept\nmessage', attributes)]
    for name in ('subject', 'body', 'thread'):
        if name in asked:
            expected.append(('jabber:component:accept\n' + name, []))
            if asked[name]:
                expected.append(asked[name])
            expected.append(None)
    elements = asked.get('xml', [])
    roots = []
    for element in [elements] if type(elements) is str else elements:
        inside = events_of(element.strip(' \t\r\n').encode('utf-8'), BARE_HEADER, BARE_FOOTER)
        roots.append(inside[0][0])
        expected += inside
    hints = asked.get('store', [])
    for hint in HINTS:
        if hint == hints or (type(hints) is list and hint in hints):
            expected += [('urn:xmpp:hints\n' + hint, []), None]
    if ORIGIN_ID not in roots:
        expected += [(ORIGIN_ID, ['id', identity]), None]

    actual = events[:-1]
    if len(actual) != len(expected) and DELAY not in roots:
        actual, _ = split_delay(actual)
    expect('the message', expected, actual)


def is_one_element(payload):
    try:
        events_of(payload.strip(b' \t\r\n'), BARE_HEADER, BARE_FOOTER)
        return True
    except Refused:
        return False


def judge(letter, stamped, payload, output):
    if letter == b'n':
        if is_one_element(payload) and not LONG_REFERENCE.search(payload):
            raise Refused('refused for its grammar, but expat reads exactly one element')
        return
    events = events_of(output)
    check_stanza(events)
    if letter == b'r':
        compare_raw(payload, events, stamped)
    elif letter == b'e':
        compare_envelope(payload, events)


class LongStream:
    """One parser that reads stanza behind stanza, as a server does."""

    def __init__(self):
        self.fed = self.seen = self.depth = 0
        self.parser = parser = expat.ParserCreate('UTF-8', SEPARATOR)
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = self.start, self.end, self.text
        parser.StartCdataSectionHandler = self.text
        forbid_markup(parser)
        parser.Parse(HEADER, False)

    def start(self, *_):
        self.depth += 1
        if self.depth == 2:
            self.seen += 1

    def end(self, _):
        self.depth -= 1
        if self.depth == 0 and not self.ending:
            raise Refused('the stream was closed')

    def text(self, *_):
        if self.depth < 2:
            raise Refused('text between stanzas')

    ending = False

    def feed(self, stanzas):
        self.fed += len(stanzas)
        self.parser.Parse(b''.join(stanzas), False)

    def close(self):
        self.ending = True
        # Counted only here: expat may keep a tag back until more bytes come.
        self.parser.Parse(FOOTER, True)
        if self.seen != self.fed:
            raise Refused(f'{self.fed} stanzas were written, {self.seen} were read')


def main():
    source, sink = sys.stdin.buffer, sys.stdout.buffer

    def number():
        return struct.unpack('>I', source.read(4))[0]

    def string():
        return source.read(number())

    stream = LongStream()
    while True:
        head = source.read(4)
        if len(head) < 4:
            return
        faults, outputs = [], []
        count = struct.unpack('>I', head)[0]
        cases = []
        for _ in range(count):
            letter, flag = source.read(1), source.read(1)
            cases.append((letter, flag == b'1', string(), string()))
        for index, case in enumerate(cases):
            try:
                judge(*case)
                if case[0] != b'n':
                    outputs.append(case[3])
            except Refused as fault:
                faults.append(f'{index} {fault}')
            except Exception:
                faults.append(f'{index} ' + ' | '.join(traceback.format_exc().splitlines()))
        try:
            stream.feed(outputs)
            if count == 0 or stream.fed >= LONG_STREAM_STANZAS:
                stream.close()
                stream = LongStream()
        except (Refused, expat.ExpatError) as fault:
            faults.append(f'{max(count - 1, 0)} in the long stream: {fault}')
            stream = LongStream()
        answer = '\n'.join(fault.replace('\n', '\\n') for fault in faults).encode('utf-8', 'backslashreplace')
        sink.write(struct.pack('>I', len(answer)) + answer)
        sink.flush()


main()
