using System.Buffers.Text;
using System.Text;
using Bridge.Simulation.Tests.Redis;
using Bridge.Simulation.Tests.Schedules;

namespace Bridge.Simulation.Tests.Server;

/// <summary>What Bridge writes.</summary>
internal enum StreamElementKind
{
    Header,
    Handshake,
    Barrier,
    Uptime,
    Message,
    Close,
}

/// <summary>One element of the stream, as the server reads it.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Number">Of a barrier or a message.</param>
/// <param name="MessageKind">Of a message.</param>
/// <param name="Id">Of the question for the uptime, and of a message that bounces.</param>
internal readonly record struct StreamElement(StreamElementKind Kind, long Number = 0, MessageKind MessageKind = MessageKind.Good, string? Id = null)
{
    /// <summary>Reads everything that was written; Bridge writes whole elements.</summary>
    public static void ReadAll(ReadOnlySpan<byte> bytes, Queue<StreamElement> into)
    {
        while (!bytes.IsEmpty)
        {
            if (bytes.StartsWith("<m>"u8))
            {
                var content = UpTo(ref bytes, "</m>"u8)[3..];
                var space = content.IndexOf((byte)' ');
                var (message, kind) = Payloads.Read(content[..space]);
                // Only a bounce says the id again.
                into.Enqueue(new StreamElement(
                    StreamElementKind.Message, message, kind, kind >= MessageKind.Bounces ? Encoding.ASCII.GetString(content[(space + 1)..]) : null));
            }
            else if (bytes.StartsWith("<iq type='get' from="u8))
            {
                var iq = UpTo(ref bytes, "</iq>"u8);
                var id = iq[(iq.IndexOf(" id='"u8) + 5)..];
                into.Enqueue(Utf8Parser.TryParse(id[(id.IndexOf((byte)'-') + 1)..], out long number, out _)
                    ? new StreamElement(StreamElementKind.Barrier, number)
                    : throw new InvalidOperationException("A barrier without a number was written."));
            }
            else if (bytes.StartsWith("<iq type='get' id='"u8))
            {
                var id = UpTo(ref bytes, "</iq>"u8)["<iq type='get' id='".Length..];
                into.Enqueue(new StreamElement(StreamElementKind.Uptime, Id: Encoding.ASCII.GetString(id[..id.IndexOf((byte)'\'')])));
            }
            else if (bytes.StartsWith("<?xml"u8))
            {
                UpTo(ref bytes, "'>"u8);
                into.Enqueue(new StreamElement(StreamElementKind.Header));
            }
            else if (bytes.StartsWith("<handshake>"u8))
            {
                UpTo(ref bytes, "</handshake>"u8);
                into.Enqueue(new StreamElement(StreamElementKind.Handshake));
            }
            else if (bytes.StartsWith("</stream:stream>"u8))
            {
                UpTo(ref bytes, ">"u8);
                into.Enqueue(new StreamElement(StreamElementKind.Close));
            }
            else
                throw new InvalidOperationException("The model server does not know this: " + Encoding.UTF8.GetString(bytes));
        }
    }

    private static ReadOnlySpan<byte> UpTo(ref ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> end)
    {
        var length = bytes.IndexOf(end);
        if (length < 0)
            throw new InvalidOperationException("Half an element was written: " + Encoding.UTF8.GetString(bytes));
        var content = bytes[..length];
        bytes = bytes[(length + end.Length)..];
        return content;
    }
}
