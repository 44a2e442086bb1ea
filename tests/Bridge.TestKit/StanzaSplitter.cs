namespace Bridge.TestKit;

/// <summary>What <see cref="StanzaSplitter"/> found at the level of the stream.</summary>
public enum StreamPiece
{
    /// <summary>The start tag of the stream, RFC 6120 §4.7.</summary>
    Header,

    /// <summary>One whole child of the stream: a stanza, a stream error, features, a handshake.</summary>
    Element,

    /// <summary>The end tag of the stream.</summary>
    End,
}

/// <summary>
/// Cuts the bytes of an XML stream into its first-level elements, however the network split them, and looks at
/// every byte once. It does not check that they are well-formed: it must be fast and show what was sent.
/// </summary>
/// <remarks>Not thread-safe: one reader.</remarks>
public sealed class StanzaSplitter
{
    private byte[] _buffer = new byte[64 * 1024];
    private int _start;
    private int _scan;
    private int _end;
    private int _tag;
    private int _depth;
    private bool _headerSeen;
    private byte _quote;
    private Mode _mode;

    private enum Mode
    {
        Text,
        Tag,
        Quoted,
        Markup,
    }

    /// <summary>Bytes held that are not yet a whole element.</summary>
    public int Pending => _end - _start;

    /// <summary>Room for the next bytes from the network; what was read before may move.</summary>
    public Memory<byte> GetMemory()
    {
        if (_start == _end)
        {
            _tag -= _start;
            _scan -= _start;
            _start = _end = 0;
        }

        if (_buffer.Length - _end < 4096)
        {
            var pending = _end - _start;
            var target = pending > _buffer.Length / 2 ? new byte[_buffer.Length * 2] : _buffer;
            Buffer.BlockCopy(_buffer, _start, target, 0, pending);
            _buffer = target;
            _scan -= _start;
            _tag -= _start;
            _end = pending;
            _start = 0;
        }

        return _buffer.AsMemory(_end);
    }

    /// <summary>Tells how many bytes were put into the memory of <see cref="GetMemory"/>.</summary>
    public void Advance(int count) => _end += count;

    /// <summary>Expects a stream header again, as after SASL (RFC 6120 §6.4.6). Unread bytes are kept.</summary>
    public void Restart() => _headerSeen = false;

    /// <summary>The next piece, if it is whole.</summary>
    /// <param name="kind">What it is.</param>
    /// <param name="bytes">Its bytes, valid until the next <see cref="GetMemory"/>.</param>
    public bool TryRead(out StreamPiece kind, out ReadOnlyMemory<byte> bytes)
    {
        while (_scan < _end)
        {
            var rest = _buffer.AsSpan(_scan, _end - _scan);
            switch (_mode)
            {
                case Mode.Text:
                    var open = rest.IndexOf((byte)'<');
                    if (open < 0)
                    {
                        _scan = _end;
                        if (_depth == 0)
                            _start = _end;
                        break;
                    }

                    _tag = _scan + open;
                    if (_depth == 0)
                        _start = _tag;
                    _scan = _tag + 1;
                    _mode = Mode.Tag;
                    break;

                case Mode.Quoted:
                    var closing = rest.IndexOf(_quote);
                    _scan = closing < 0 ? _end : _scan + closing + 1;
                    if (closing >= 0)
                        _mode = Mode.Tag;
                    break;

                case Mode.Markup:
                    var end = rest.IndexOf((byte)'>');
                    _scan = end < 0 ? _end : _scan + end + 1;
                    if (end >= 0 && MarkupEnds(_buffer.AsSpan(_tag, _scan - _tag)))
                        _mode = Mode.Text;
                    break;

                case Mode.Tag when rest[0] == (byte)'!' && _scan == _tag + 1:
                    _mode = Mode.Markup;
                    break;

                case Mode.Tag:
                    var stop = rest.IndexOfAny((byte)'>', (byte)'"', (byte)'\'');
                    if (stop < 0)
                    {
                        _scan = _end;
                        break;
                    }

                    _scan += stop + 1;
                    if (rest[stop] != (byte)'>')
                    {
                        _quote = rest[stop];
                        _mode = Mode.Quoted;
                        break;
                    }

                    _mode = Mode.Text;
                    if (TryEndTag(out kind))
                    {
                        bytes = _buffer.AsMemory(_start, _scan - _start);
                        _start = _scan;
                        return true;
                    }

                    break;

                default:
                    throw new InvalidOperationException(_mode.ToString());
            }
        }

        kind = default;
        bytes = default;
        return false;
    }

    private bool TryEndTag(out StreamPiece kind)
    {
        kind = StreamPiece.Element;
        switch (_buffer[_tag + 1])
        {
            case (byte)'?':
                return false;
            case (byte)'/':
                if (_depth == 0)
                {
                    kind = StreamPiece.End;
                    return true;
                }

                return --_depth == 0;
            default:
                if (!_headerSeen)
                {
                    _headerSeen = true;
                    kind = StreamPiece.Header;
                    return true;
                }

                if (_buffer[_scan - 2] == (byte)'/')
                    return _depth == 0;
                _depth++;
                return false;
        }
    }

    private static bool MarkupEnds(ReadOnlySpan<byte> markup)
    {
        if (markup.StartsWith("<!--"u8))
            return markup.Length >= 7 && markup.EndsWith("-->"u8);
        return !markup.StartsWith("<!["u8) || markup.EndsWith("]]>"u8);
    }
}
