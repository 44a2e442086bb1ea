using System.Buffers;
using System.Text;

namespace Bridge.Stanzas;

/// <summary>
/// An address as it is compared with the one that an answer comes from: without its resource, in lower case. Servers
/// prepare what they route (RFC 7622 §3), so that an answer may come from <c>ada@example.com</c> to what was written to
/// <c>Ada@Example.com</c>. Pure.
/// </summary>
internal static class BareAddress
{
    /// <summary>No address that the firewall lets pass becomes longer: lower case may take more bytes, a half more at most.</summary>
    public const int MaxBytes = 2 * ((2 * Jid.MaxPartBytes) + 1);

    // Printable ASCII without upper case; most addresses have nothing else.
    private static readonly SearchValues<byte> LowerCase =
        SearchValues.Create([.. Enumerable.Range('!', '~' - '!' + 1).Select(octet => (byte)octet).Where(octet => octet is < (byte)'A' or > (byte)'Z')]);

    /// <summary>Cuts the resource off. False: what is left is not in lower case yet, and must be written.</summary>
    public static bool TryTrim(ReadOnlySpan<byte> address, out ReadOnlySpan<byte> bare)
    {
        var slash = address.IndexOf((byte)'/');
        bare = slash < 0 ? address : address[..slash];
        return bare.Length <= MaxBytes && bare.IndexOfAnyExcept(LowerCase) < 0;
    }

    /// <summary>Writes the bare address in lower case; what is too long is cut.</summary>
    /// <returns>Bytes written.</returns>
    public static int Write(ReadOnlySpan<byte> address, Span<byte> target)
    {
        var slash = address.IndexOf((byte)'/');
        if (slash >= 0)
            address = address[..slash];
        if (Ascii.IsValid(address))
        {
            if (address.Length > target.Length)
                address = address[..target.Length];
            _ = Ascii.ToLower(address, target, out var written);
            return written;
        }

        var lower = Encoding.UTF8.GetString(address).ToLowerInvariant();
        return Encoding.UTF8.TryGetBytes(lower, target, out var length) ? length : 0;
    }
}
