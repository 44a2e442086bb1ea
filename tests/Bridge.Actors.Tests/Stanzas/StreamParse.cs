using System.Text;
using System.Xml;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Stanzas;

/// <summary>Reads encoded bytes as a server would: inside an open component stream.</summary>
internal static class StreamParse
{
    private static readonly byte[] Header =
        "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>"u8.ToArray();

    private static readonly byte[] Footer = "</stream:stream>"u8.ToArray();

    /// <summary>Null when the bytes are exactly one addressed stanza of an allowed sender; else what is wrong.</summary>
    public static string? Mistake(ReadOnlySpan<byte> encoded)
    {
        var stream = new MemoryStream();
        stream.Write(Header);
        stream.Write(encoded);
        stream.Write(Footer);
        stream.Position = 0;
        using var reader = XmlReader.Create(
            new StreamReader(stream, new UTF8Encoding(false, true)),
            new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, CheckCharacters = true });
        var stanzas = 0;
        try
        {
            while (reader.Read())
            {
                if (reader.Depth == 0)
                {
                    if (reader.NodeType is not (XmlNodeType.Element or XmlNodeType.EndElement))
                        return $"{reader.NodeType} beside the stream";
                }
                else if (reader.Depth == 1 && reader.NodeType == XmlNodeType.Element)
                {
                    stanzas++;
                    if (StanzaMistake(reader) is { } mistake)
                        return mistake;
                }
                else if (reader.Depth == 1 && reader.NodeType != XmlNodeType.EndElement)
                {
                    return $"{reader.NodeType} beside the stanza";
                }
                else if (reader.NodeType is XmlNodeType.Comment or XmlNodeType.ProcessingInstruction or XmlNodeType.EntityReference)
                {
                    return $"{reader.NodeType} in the stanza";
                }
                else if (reader.NodeType == XmlNodeType.Element && reader.NamespaceURI == "http://etherx.jabber.org/streams")
                {
                    return "stream-level markup in the stanza";
                }
            }
        }
        catch (Exception fault) when (fault is XmlException or DecoderFallbackException)
        {
            return fault.Message;
        }

        return stanzas == 1 ? null : $"{stanzas} stanzas";
    }

    /// <summary>Whether XmlReader reads the bytes, white space around them aside, as exactly one element and nothing else.</summary>
    public static bool IsOneElement(byte[] payload)
    {
        try
        {
            var text = new UTF8Encoding(false, true).GetString(payload).Trim(' ', '\t', '\r', '\n');
            using var reader = XmlReader.Create(
                new StringReader(text),
                new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, ConformanceLevel = ConformanceLevel.Fragment });
            var elements = 0;
            while (reader.Read())
            {
                if (reader.Depth == 0 && reader.NodeType != XmlNodeType.EndElement)
                    elements += reader.NodeType == XmlNodeType.Element ? 1 : 2;
            }

            return elements == 1;
        }
        catch (Exception fault) when (fault is XmlException or DecoderFallbackException)
        {
            return false;
        }
    }

    private static string? StanzaMistake(XmlReader reader)
    {
        if (reader.Name is not ("message" or "presence" or "iq") || reader.NamespaceURI != "jabber:component:accept")
            return $"{{{reader.NamespaceURI}}}{reader.Name} is no stanza";
        if (reader.GetAttribute("to") is not { } to || !Jid.IsValid(to, out _))
            return "no valid 'to'";
        if (string.IsNullOrEmpty(reader.GetAttribute("id")))
            return "no 'id'";

        // Deliberately not Jid: the domain is what stands before the first '/' and behind the '@' in it.
        var bare = reader.GetAttribute("from")?.Split('/')[0];
        var domain = bare is null ? null : bare[(bare.IndexOf('@', StringComparison.Ordinal) + 1)..];
        return domain is "app.example" or "other.example" ? null : $"foreign 'from' {domain}";
    }
}
