using System.Text;

namespace Bridge.Stanzas;

/// <summary>The texts of a message, RFC 6121 §5.2.3 and §5.2.4.</summary>
internal static class MessageText
{
    /// <summary>
    /// Reads body and subject; null where there is none. Of several in different languages the first. <paramref name="message" />
    /// is what <see cref="StanzaReader" /> has found well-formed.
    /// </summary>
    public static (string? Body, string? Subject) Read(ReadOnlySpan<byte> message)
    {
        var cursor = new MarkupCursor(message);
        if (!cursor.Next() || cursor.Token != MarkupToken.Start)
            return default;
        var inherits = !MarkupCursor.TryGetAttribute(cursor.Attributes, "xmlns"u8, out var ns) || InboundStanza.IsStreamNamespace(ns);
        string? body = null, subject = null;
        while (cursor.Next() && cursor.Token != MarkupToken.End)
        {
            if (cursor.Token is MarkupToken.Text or MarkupToken.Cdata)
                continue;
            var isOurs = MarkupCursor.TryGetAttribute(cursor.Attributes, "xmlns"u8, out ns) ? InboundStanza.IsStreamNamespace(ns) : inherits;
            var isBody = isOurs && body is null && cursor.Name.SequenceEqual("body"u8);
            var isSubject = isOurs && subject is null && cursor.Name.SequenceEqual("subject"u8);
            var text = cursor.Token == MarkupToken.Empty ? "" : ReadContent(ref cursor, isBody || isSubject);
            if (isBody)
                body = text;
            else if (isSubject)
                subject = text;
        }

        return (body, subject);
    }

    // Up to the end tag of the element whose start tag the cursor stands on. Of elements within it only the place counts.
    private static string? ReadContent(ref MarkupCursor cursor, bool wanted)
    {
        var text = wanted ? new StringBuilder() : null;
        var depth = 1;
        while (depth > 0 && cursor.Next())
        {
            switch (cursor.Token)
            {
                case MarkupToken.Start:
                    depth++;
                    break;
                case MarkupToken.End:
                    depth--;
                    break;
                case MarkupToken.Text when depth == 1:
                    text?.Append(MarkupText.ContentText(cursor.Text, int.MaxValue));
                    break;
                case MarkupToken.Cdata when depth == 1:
                    text?.Append(Encoding.UTF8.GetString(cursor.Text).ReplaceLineEndings("\n"));
                    break;
            }
        }

        return text?.ToString();
    }
}
