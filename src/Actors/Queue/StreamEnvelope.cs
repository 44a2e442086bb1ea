using System.Buffers;
using System.Text.Json;
using RESPite.Messages;

namespace Bridge.Queue;

/// <summary>
/// The JSON envelope that stands for a stream entry of several fields: each field a member, each
/// value a string; only <c>meta</c> is inserted as it is, when it is a JSON object. Bytes that are
/// no UTF-8 stay as they are, for the firewall to reject.
/// </summary>
internal static class StreamEnvelope
{
    /// <summary>Writes the envelope from a reader that stands before the first field's name.</summary>
    /// <param name="reader">Behind which nothing is read.</param>
    /// <param name="fields">How many.</param>
    /// <param name="deferred">What Bridge says of an entry that it has added again, see <see cref="Deferral.Deferred" />: its last field. It is put before the envelope.</param>
    public static ReadOnlyMemory<byte> Write(RespReader reader, int fields, out ReadOnlyMemory<byte> deferred)
    {
        deferred = default;
        var output = new ArrayBufferWriter<byte>();
        output.Write("{"u8);
        for (var i = 0; i < fields; i++)
        {
            reader.MoveNextScalar();
            var name = reader.ReadByteArray() ?? [];
            reader.MoveNextScalar();
            var value = reader.ReadByteArray() ?? [];
            if (i > 1 && i == fields - 1 && name is [Deferral.Deferred.FirstByte])
            {
                deferred = value;
                break;
            }

            if (i > 0)
                output.Write(","u8);
            WriteString(output, name);
            output.Write(":"u8);
            if (name.AsSpan().SequenceEqual("meta"u8) && IsObject(value))
                output.Write(value);
            else
                WriteString(output, value);
        }

        output.Write("}"u8);
        return output.WrittenMemory;
    }

    private static bool IsObject(ReadOnlySpan<byte> value)
    {
        try
        {
            var reader = new Utf8JsonReader(value);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            reader.Skip();
            // Anything behind the object makes the reader throw.
            return !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>A JSON string (RFC 8259 §7): only what must be escaped is.</summary>
    private static void WriteString(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> text)
    {
        const string hex = "0123456789abcdef";
        output.Write("\""u8);
        foreach (var octet in text)
        {
            if (octet is (byte)'"' or (byte)'\\')
                output.Write([(byte)'\\', octet]);
            else if (octet < 0x20)
                output.Write([.. "\\u00"u8, (byte)hex[octet >> 4], (byte)hex[octet & 15]]);
            else
                output.Write([octet]);
        }

        output.Write("\""u8);
    }
}
