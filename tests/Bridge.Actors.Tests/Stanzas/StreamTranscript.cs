using System.Text;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Stanzas;

/// <summary>Everything that a reader told about a stream, as text lines that can be compared.</summary>
internal static class StreamTranscript
{
    /// <summary>Reads the bytes in the given pieces; the last piece takes the rest.</summary>
    public static List<string> Of(StanzaReader reader, ReadOnlySpan<byte> bytes, Func<int>? nextLength = null, int maxHeld = int.MaxValue)
    {
        var lines = new List<string>();
        while (!bytes.IsEmpty)
        {
            var length = Math.Min(nextLength?.Invoke() ?? bytes.Length, bytes.Length);
            // A copy that ends where the piece ends: nothing beyond can be peeked at.
            ReadOnlySpan<byte> input = bytes[..length].ToArray();
            bytes = bytes[length..];
            while (true)
            {
                var before = input.Length;
                var kind = reader.Read(ref input, out var stanza);
                Assert.InRange(reader.HeldBytes, 0, maxHeld);
                Assert.InRange(input.Length, 0, before);
                if (kind == StreamEventKind.None)
                {
                    Assert.Equal(0, input.Length);
                    break;
                }

                lines.Add(Line(reader, kind, stanza));
            }
        }

        return lines;
    }

    private static string Line(StanzaReader reader, StreamEventKind kind, in InboundStanza stanza) => kind switch
    {
        StreamEventKind.Header => Describe(reader.Header!),
        StreamEventKind.Handshake => "handshake",
        StreamEventKind.Error => $"error {reader.Error!.Condition} {Show(reader.Error.Text)}",
        StreamEventKind.Skipped => reader.Skipped!.ToString(),
        StreamEventKind.End => "end",
        StreamEventKind.Malformed => "malformed: " + reader.MalformedReason,
        _ => Describe(
            stanza.Kind,
            stanza.Id.Text,
            stanza.From.Text,
            stanza.To.Text,
            stanza.Type.Text,
            stanza.FirstChildName.IsEmpty ? null : Encoding.UTF8.GetString(stanza.FirstChildName),
            stanza.FirstChildNamespace.Text,
            stanza.ReadError(),
            Encoding.UTF8.GetString(stanza.Bytes)),
    };

    public static string Describe(StreamHeader header) =>
        $"header id={Show(header.Id)} from={Show(header.From)} ns={Show(header.Namespace)}";

    public static string Describe(
        StanzaKind kind, string? id, string? from, string? to, string? type, string? child, string? ns, StanzaError? error, string xml) =>
        $"{kind} id={Show(id)} from={Show(from)} to={Show(to)} type={Show(type)} child={Show(child)} ns={Show(ns == "jabber:component:accept" ? null : ns)} "
        + $"error={(error is null ? "-" : $"{error.Type}/{error.Condition}/{Show(Head(error.Text))}")} {xml}";

    // The reader cuts an error's text after some bytes of its raw form, references and all: only what
    // surely stands before the cut is compared.
    private static string? Head(string? text) => text is { Length: > 60 } ? text[..60] : text;

    private static string Show(string? value) => value is null ? "-" : $"'{value}'";
}
