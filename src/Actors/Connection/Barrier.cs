using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Bridge.Connection;

/// <summary>
/// The barrier: an IQ that the component sends to itself. XEP-0114 has no acknowledgement, but a
/// server processes a component's stream in order and routes the barrier back, so its return proves
/// that everything before it was read and routed. Its id is 128 random bits per life of the stream
/// and a number, so that no app and no user can forge one.
/// </summary>
public sealed class Barrier
{
    /// <summary>The namespace of the barrier's payload (XEP-0199).</summary>
    public const string PingNamespace = "urn:xmpp:ping";

    private readonly byte[] _head;
    private readonly byte[] _tail;
    private readonly byte[] _idPrefix;

    /// <summary>Draws a new identity for one life of the stream.</summary>
    /// <param name="domain">The component's domain: both <c>from</c> and <c>to</c>.</param>
    public Barrier(string domain)
        : this(domain, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)))
    {
    }

    internal Barrier(string domain, string identity)
    {
        _idPrefix = Encoding.ASCII.GetBytes(identity + "-");
        _head = Encoding.UTF8.GetBytes($"<iq type='get' from='{domain}' to='{domain}' id='{identity}-");
        _tail = Encoding.UTF8.GetBytes($"'><ping xmlns='{PingNamespace}'/></iq>");
    }

    /// <summary>Appends the barrier with this number.</summary>
    public void Write(IBufferWriter<byte> output, long number)
    {
        output.Write(_head);
        var digits = output.GetSpan(20);
        Utf8Formatter.TryFormat(number, digits, out var written);
        output.Advance(written);
        output.Write(_tail);
    }

    /// <summary>Reads the number out of an id that this life of the stream wrote.</summary>
    public bool TryReadNumber(ReadOnlySpan<byte> id, out long number)
    {
        number = 0;
        return id.StartsWith(_idPrefix)
            && Utf8Parser.TryParse(id[_idPrefix.Length..], out number, out var consumed)
            && consumed == id.Length - _idPrefix.Length
            && number > 0;
    }
}
