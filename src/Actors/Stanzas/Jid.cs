using System.Buffers;
using System.Globalization;
using System.Net;
using System.Text;

namespace Bridge.Stanzas;

/// <summary>What is wrong with an address.</summary>
/// <param name="Offset">Byte offset into the address.</param>
/// <param name="Text">The rule it breaks; a constant, so it never repeats the address.</param>
public readonly record struct JidMistake(int Offset, string Text);

/// <summary>
/// An XMPP address (RFC 7622), as slices of the UTF-8 it was read from. Nothing is normalised:
/// the server that routes the stanza prepares the address, and what it refuses it bounces.
/// </summary>
public readonly ref struct Jid
{
    /// <summary>Bytes that each of the three parts may have (RFC 7622 §3.1).</summary>
    public const int MaxPartBytes = 1023;

    /// <summary>Bytes that a whole address may have: three parts and two separators.</summary>
    public const int MaxBytes = (3 * MaxPartBytes) + 2;

    private static readonly SearchValues<byte> AddressBytes = SearchValues.Create("0123456789abcdefABCDEF:."u8);

    private Jid(ReadOnlySpan<byte> local, ReadOnlySpan<byte> domain, ReadOnlySpan<byte> resource)
    {
        Local = local;
        Domain = domain;
        Resource = resource;
    }

    /// <summary>The localpart; empty when there is none.</summary>
    public ReadOnlySpan<byte> Local { get; }

    /// <summary>The domainpart as written: its case and a trailing dot are kept.</summary>
    public ReadOnlySpan<byte> Domain { get; }

    /// <summary>The resourcepart; empty when there is none.</summary>
    public ReadOnlySpan<byte> Resource { get; }

    /// <summary>
    /// Splits an address and checks structure, lengths and forbidden characters of each part.
    /// Allocates nothing for ASCII addresses.
    /// </summary>
    /// <param name="address">Well-formed UTF-8.</param>
    /// <param name="jid">The parts; default when false.</param>
    /// <param name="mistake">The first broken rule when false.</param>
    public static bool TryParse(ReadOnlySpan<byte> address, out Jid jid, out JidMistake mistake)
    {
        jid = default;

        // RFC 7622 §3.2: the resource begins behind the first '/', and only what stands before it
        // may be split at '@'; both characters may occur inside a resource.
        var bare = address;
        var resource = ReadOnlySpan<byte>.Empty;
        var slash = address.IndexOf((byte)'/');
        if (slash >= 0)
        {
            bare = address[..slash];
            resource = address[(slash + 1)..];
            if (!CheckResource(resource, slash + 1, out mistake))
                return false;
        }

        var local = ReadOnlySpan<byte>.Empty;
        var domain = bare;
        var domainStart = 0;
        var separator = bare.IndexOf((byte)'@');
        if (separator >= 0)
        {
            local = bare[..separator];
            domain = bare[(separator + 1)..];
            domainStart = separator + 1;
            if (!CheckLocal(local, out mistake))
                return false;
        }

        if (!CheckDomain(domain, domainStart, out mistake))
            return false;
        jid = new Jid(local, domain, resource);
        return true;
    }

    /// <summary>The same for text, for settings and commands.</summary>
    /// <param name="address">The address.</param>
    /// <param name="mistake">The first broken rule when false; its offset counts UTF-8 bytes.</param>
    public static bool IsValid(string address, out JidMistake mistake)
    {
        // A lone surrogate becomes U+FFFD here, which no part of an address may hold.
        return TryParse(Encoding.UTF8.GetBytes(address), out _, out mistake);
    }

    /// <summary>
    /// Whether the text is a domain in the only form in which Bridge compares domains: a valid
    /// domainpart, without a trailing dot, in lower case.
    /// </summary>
    public static bool IsCanonicalDomain(string domain) =>
        CheckDomain(Encoding.UTF8.GetBytes(domain), 0, out _)
        && !domain.EndsWith('.')
        && string.Equals(domain, domain.ToLowerInvariant(), StringComparison.Ordinal);

    private static bool CheckLocal(ReadOnlySpan<byte> local, out JidMistake mistake)
    {
        mistake = default;
        if (local.IsEmpty)
            return Refuse(0, "the localpart is empty", out mistake);
        if (local.Length > MaxPartBytes)
            return Refuse(MaxPartBytes, "the localpart is longer than 1,023 bytes", out mistake);
        for (var i = 0; i < local.Length;)
        {
            var b = local[i];
            if (b < 0x80)
            {
                // RFC 7622 §3.3.1 excludes these beyond what the PRECIS class already does;
                // '/' and '@' cannot reach this place.
                if (b <= 0x20 || b == 0x7F || b is (byte)'"' or (byte)'&' or (byte)'\'' or (byte)':' or (byte)'<' or (byte)'>')
                    return Refuse(i, "the localpart holds a forbidden character", out mistake);
                i++;
                continue;
            }

            Rune.DecodeFromUtf8(local[i..], out var rune, out var length);
            if (IsForbiddenAnywhere(rune) || IsSeparator(rune) || IsFormat(rune))
                return Refuse(i, "the localpart holds a forbidden character", out mistake);
            i += length;
        }

        return true;
    }

    private static bool CheckResource(ReadOnlySpan<byte> resource, int start, out JidMistake mistake)
    {
        mistake = default;
        if (resource.IsEmpty)
            return Refuse(start, "the resourcepart is empty", out mistake);
        if (resource.Length > MaxPartBytes)
            return Refuse(start + MaxPartBytes, "the resourcepart is longer than 1,023 bytes", out mistake);
        for (var i = 0; i < resource.Length;)
        {
            var b = resource[i];
            if (b < 0x80)
            {
                if (b < 0x20 || b == 0x7F)
                    return Refuse(start + i, "the resourcepart holds a control character", out mistake);
                i++;
                continue;
            }

            Rune.DecodeFromUtf8(resource[i..], out var rune, out var length);
            if (IsForbiddenAnywhere(rune))
                return Refuse(start + i, "the resourcepart holds a forbidden character", out mistake);
            i += length;
        }

        return true;
    }

    private static bool CheckDomain(ReadOnlySpan<byte> domain, int start, out JidMistake mistake)
    {
        mistake = default;
        if (domain.IsEmpty)
            return Refuse(start, "the domainpart is empty", out mistake);
        if (domain.Length > MaxPartBytes)
            return Refuse(start + MaxPartBytes, "the domainpart is longer than 1,023 bytes", out mistake);
        if (domain[0] == (byte)'[')
        {
            // RFC 7622 §3.2.1; the zone that .NET would accept has no meaning to another host.
            return domain[^1] == (byte)']'
                && domain[1..^1].IndexOf((byte)':') >= 0
                && domain[1..^1].IndexOfAnyExcept(AddressBytes) < 0
                && IPAddress.TryParse(domain[1..^1], out _)
                || Refuse(start, "the domainpart is not an IPv6 address in brackets", out mistake);
        }

        // One trailing dot is the DNS root, which RFC 7622 §3.2 has the server strip.
        var end = domain[^1] == (byte)'.' ? domain.Length - 1 : domain.Length;
        for (var label = 0; ;)
        {
            var dot = domain[label..end].IndexOf((byte)'.');
            var labelEnd = dot < 0 ? end : label + dot;
            if (!CheckLabel(domain[label..labelEnd], start + label, out mistake))
                return false;
            if (dot < 0)
                return true;
            label = labelEnd + 1;
        }
    }

    private static bool CheckLabel(ReadOnlySpan<byte> label, int start, out JidMistake mistake)
    {
        mistake = default;
        if (label.IsEmpty)
            return Refuse(start, "the domainpart has an empty label", out mistake);
        if (label[0] == (byte)'-' || label[^1] == (byte)'-')
            return Refuse(start, "a label of the domainpart begins or ends with a hyphen", out mistake);
        var characters = 0;
        for (var i = 0; i < label.Length; characters++)
        {
            var b = label[i];
            if (b < 0x80)
            {
                if (!char.IsAsciiLetterOrDigit((char)b) && b != (byte)'-')
                    return Refuse(start + i, "the domainpart holds a forbidden character", out mistake);
                i++;
                continue;
            }

            Rune.DecodeFromUtf8(label[i..], out var rune, out var length);
            if (!MayStandInLabel(rune))
                return Refuse(start + i, "the domainpart holds a forbidden character", out mistake);
            i += length;
        }

        // The 63 of RFC 1035 count the A-label, which is never shorter than the U-label has
        // characters; what passes here and is still too long in Punycode, the server bounces.
        return characters <= 63 || Refuse(start, "a label of the domainpart is longer than 63", out mistake);
    }

    // The classes of RFC 5892 by general category: letters, marks and digits, and the few that its
    // contextual rules allow. Their contexts are left to the server.
    private static bool MayStandInLabel(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter or UnicodeCategory.NonSpacingMark
            or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.DecimalDigitNumber => true,
        _ => rune.Value is 0x00B7 or 0x0375 or 0x05F3 or 0x05F4 or 0x30FB or 0x200C or 0x200D,
    };

    private static bool IsForbiddenAnywhere(Rune rune) =>
        rune.Value == 0xFFFD
        || (rune.Value & 0xFFFE) == 0xFFFE
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.PrivateUse or UnicodeCategory.Surrogate
            or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    private static bool IsSeparator(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.SpaceSeparator;

    // Zero width joiners are part of words in several scripts (RFC 5892 appendix A); every other
    // format character is invisible and excluded by the PRECIS identifier class.
    private static bool IsFormat(Rune rune) =>
        rune.Value is not (0x200C or 0x200D) && Rune.GetUnicodeCategory(rune) == UnicodeCategory.Format;

    private static bool Refuse(int offset, string text, out JidMistake mistake)
    {
        mistake = new JidMistake(offset, text);
        return false;
    }
}
