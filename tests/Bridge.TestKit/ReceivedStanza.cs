using System.Diagnostics;
using System.Text;
using System.Xml.Linq;

namespace Bridge.TestKit;

/// <summary>One first-level element of a stream as it arrived, byte for byte.</summary>
/// <remarks>Everything is read out of the bytes when asked for: recording costs one copy.</remarks>
public sealed class ReceivedStanza
{
    private readonly byte[] _raw;

    /// <summary>Takes the bytes over.</summary>
    /// <param name="raw">The whole element.</param>
    /// <param name="order">Its place among what this connection received, from 0.</param>
    /// <param name="timestamp">When it was read, <see cref="Stopwatch.GetTimestamp"/>.</param>
    public ReceivedStanza(byte[] raw, long order, long timestamp)
    {
        _raw = raw;
        Order = order;
        Timestamp = timestamp;
    }

    /// <summary>Its place among what this connection received, from 0.</summary>
    public long Order { get; }

    /// <summary>Which connection of a server received it, from 0; always 0 for a user or component.</summary>
    public int Connection { get; init; }

    /// <summary>When it was read, <see cref="Stopwatch.GetTimestamp"/>.</summary>
    public long Timestamp { get; }

    /// <summary>The whole element.</summary>
    public ReadOnlyMemory<byte> Raw => _raw;

    /// <summary>The whole element as text.</summary>
    public string Text => Encoding.UTF8.GetString(_raw);

    /// <summary>The element's name, with its prefix as sent.</summary>
    public string Name => Encoding.UTF8.GetString(StartTag.Name(_raw));

    /// <summary>The attribute <c>id</c>.</summary>
    public string? Id => this["id"];

    /// <summary>The attribute <c>from</c>.</summary>
    public string? From => this["from"];

    /// <summary>The attribute <c>to</c>.</summary>
    public string? To => this["to"];

    /// <summary>The attribute <c>type</c>.</summary>
    public string? Type => this["type"];

    /// <summary>The text of the first child <c>body</c>; null without one.</summary>
    public string? Body => Element.Elements().FirstOrDefault(child => child.Name.LocalName == "body")?.Value;

    /// <summary>The element, parsed; a namespace that it inherits from the stream is not known to it.</summary>
    public XElement Element
    {
        get
        {
            // A stream error or features carry a prefix that only the stream header declares, RFC 6120 §4.8.1.
            var wrapped = $"<x xmlns:stream='http://etherx.jabber.org/streams'>{Text}</x>";
            return XElement.Parse(wrapped, LoadOptions.PreserveWhitespace).Elements().Single();
        }
    }

    /// <summary>The value of an attribute without a prefix, null without one.</summary>
    public string? this[string attribute] =>
        StartTag.TryGet(_raw, Encoding.UTF8.GetBytes(attribute), out var value) ? StartTag.Unescape(value) : null;

    /// <inheritdoc/>
    public override string ToString() => Text;
}
