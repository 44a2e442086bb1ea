using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using Bridge.Stanzas;

namespace Bridge.Outcomes;

/// <summary>
/// The key under which Bridge's own stanza ids tell to whom they were written: 64 bits of SipHash-2-4 over
/// the id and the bare address. An error that answers such an id is believed only where it comes from that address,
/// however late it comes, and no table is needed for that. Immutable and safe for any number of threads.
/// </summary>
/// <remarks>
/// SipHash (Aumasson and Bernstein, 2012) is made for keyed hashes of short messages: 30 ns here, where
/// HMAC-SHA-256 takes ten times as long, for each message that brings no id.
/// </remarks>
public sealed class IdSeal
{
    /// <summary>Hexadecimal digits of a key.</summary>
    public const int KeyDigits = 32;

    /// <summary>Hexadecimal digits of a seal.</summary>
    public const int Digits = 16;

    private const int LongestId = 128;

    private readonly ulong _key0;
    private readonly ulong _key1;

    /// <summary>Takes a key over.</summary>
    /// <param name="key">32 hexadecimal digits.</param>
    /// <exception cref="FormatException">It is no such key.</exception>
    public IdSeal(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (key.Length != KeyDigits)
            throw new FormatException("The key of the ids has not 32 hexadecimal digits.");
        _key0 = ulong.Parse(key.AsSpan(0, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        _key1 = ulong.Parse(key.AsSpan(16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
    }

    /// <summary>The seal of an id that is written to an address.</summary>
    /// <param name="id">At most 128 bytes.</param>
    /// <param name="address">UTF-8; its resource and the case of its letters make no difference.</param>
    [SkipLocalsInit]
    public ulong Of(ReadOnlySpan<byte> id, ReadOnlySpan<byte> address)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(id.Length, LongestId);
        Span<byte> sealedBytes = stackalloc byte[LongestId + 1 + BareAddress.MaxBytes];
        id.CopyTo(sealedBytes);
        // No id has it, so that no other id and address make the same bytes.
        sealedBytes[id.Length] = 0;
        var length = id.Length + 1 + BareAddress.Write(address, sealedBytes[(id.Length + 1)..]);
        return SipHash(sealedBytes[..length]);
    }

    internal ulong SipHash(ReadOnlySpan<byte> message)
    {
        var v0 = _key0 ^ 0x736f6d6570736575;
        var v1 = _key1 ^ 0x646f72616e646f6d;
        var v2 = _key0 ^ 0x6c7967656e657261;
        var v3 = _key1 ^ 0x7465646279746573;
        var last = (ulong)message.Length << 56;
        for (; message.Length >= 8; message = message[8..])
            Absorb(BinaryPrimitives.ReadUInt64LittleEndian(message), ref v0, ref v1, ref v2, ref v3);
        for (var i = 0; i < message.Length; i++)
            last |= (ulong)message[i] << (8 * i);
        Absorb(last, ref v0, ref v1, ref v2, ref v3);
        v2 ^= 0xff;
        for (var i = 0; i < 4; i++)
            Round(ref v0, ref v1, ref v2, ref v3);
        return v0 ^ v1 ^ v2 ^ v3;
    }

    private static void Absorb(ulong word, ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3)
    {
        v3 ^= word;
        Round(ref v0, ref v1, ref v2, ref v3);
        Round(ref v0, ref v1, ref v2, ref v3);
        v0 ^= word;
    }

    private static void Round(ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3)
    {
        v0 += v1;
        v1 = BitOperations.RotateLeft(v1, 13) ^ v0;
        v0 = BitOperations.RotateLeft(v0, 32);
        v2 += v3;
        v3 = BitOperations.RotateLeft(v3, 16) ^ v2;
        v0 += v3;
        v3 = BitOperations.RotateLeft(v3, 21) ^ v0;
        v2 += v1;
        v1 = BitOperations.RotateLeft(v1, 17) ^ v2;
        v2 = BitOperations.RotateLeft(v2, 32);
    }
}
