using System.Diagnostics.CodeAnalysis;
using Bridge.Stanzas;

namespace Bridge.Outcomes;

/// <summary>Receipts that recipients' clients send (XEP-0184). Pure.</summary>
internal static class Receipts
{
    private static ReadOnlySpan<byte> Namespace => "urn:xmpp:receipts"u8;

    /// <summary>The id of the message that a message is the receipt of. False: it is none.</summary>
    /// <param name="message">A message, as it came.</param>
    /// <param name="id">The id, when true; not empty.</param>
    public static bool TryRead(ReadOnlySpan<byte> message, [NotNullWhen(true)] out string? id)
    {
        id = null;
        // Nearly every message has none: one look for the namespace is all that it costs.
        if (message.IndexOf(Namespace) < 0)
            return false;
        var cursor = new MarkupCursor(message);
        var depth = 0;
        while (cursor.Next())
        {
            if (cursor.Token == MarkupToken.End)
                depth--;
            if (cursor.Token is not (MarkupToken.Start or MarkupToken.Empty))
                continue;
            // Clients put hints beside it, before or behind.
            if (depth == 1 && cursor.LocalName.SequenceEqual("received"u8)
                && MarkupCursor.TryGetNamespace(cursor.Name, cursor.Attributes, out var ns) && ns.SequenceEqual(Namespace)
                && MarkupCursor.TryGetAttribute(cursor.Attributes, "id"u8, out var raw) && !raw.IsEmpty)
            {
                id = MarkupText.AttributeText(raw);
                return true;
            }

            if (cursor.Token == MarkupToken.Start)
                depth++;
        }

        return false;
    }
}
