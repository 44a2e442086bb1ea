using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Bridge.Outcomes;

namespace Bridge.Queue;

/// <summary>
/// The stanza ids of the entries that one session took from a list (<c>b-&lt;prefix&gt;-&lt;sequence&gt;</c>), or of all
/// entries of a stream (<c>b-&lt;prefix&gt;-&lt;entry id&gt;</c>), each with a <see cref="IdSeal">seal</see> of 16 digits behind it:
/// stable over re-sends and takeovers, never used twice. Letters, digits and <c>-</c> only. Written when a stanza needs one,
/// because most bring their own.
/// </summary>
/// <param name="prefix">8 hexadecimal digits for a stream, 16 for a list.</param>
/// <param name="ofStream">Whether both halves of the position are written, as a stream's entry ids have them.</param>
/// <param name="seal">The queue's key; null: the ids carry no seal, and nobody's answer to them is believed.</param>
public sealed class GeneratedIds(string prefix, bool ofStream, IdSeal? seal = null)
{
    /// <summary>No id is longer, in bytes.</summary>
    public const int MaxBytes = 80;

    private readonly byte[] _beginning = Encoding.ASCII.GetBytes("b-" + prefix + "-");

    /// <summary>Writes the id of the entry at a position, without a seal.</summary>
    /// <returns>Its length in bytes.</returns>
    /// <exception cref="ArgumentException">The target is shorter than <see cref="MaxBytes" />.</exception>
    public int Write(EntryPosition position, Span<byte> target)
    {
        if (target.Length < MaxBytes)
            throw new ArgumentException("The target is too short for an id.", nameof(target));
        _beginning.CopyTo(target);
        var length = _beginning.Length;
        if (ofStream)
        {
            Utf8Formatter.TryFormat(position.High, target[length..], out var high);
            length += high;
            target[length++] = (byte)'-';
        }

        Utf8Formatter.TryFormat(position.Low, target[length..], out var low);
        return length + low;
    }

    /// <summary>Writes the id of the entry at a position, sealed for whom it is written to.</summary>
    /// <param name="position">The entry.</param>
    /// <param name="to">The recipient's address, UTF-8.</param>
    /// <param name="target">At least <see cref="MaxBytes" />.</param>
    /// <returns>Its length in bytes.</returns>
    public int Write(EntryPosition position, ReadOnlySpan<byte> to, Span<byte> target)
    {
        var length = Write(position, target);
        if (seal is null)
            return length;
        var value = seal.Of(target[..length], to);
        target[length++] = (byte)'-';
        value.TryFormat(target[length..], out var digits, "x16", CultureInfo.InvariantCulture);
        return length + digits;
    }

    /// <summary>
    /// Whose entry an id is that came back: one with a seal that this key made for this address.
    /// </summary>
    /// <param name="id">The id, UTF-8.</param>
    /// <param name="from">Who answers, UTF-8.</param>
    /// <param name="seal">The queue's key.</param>
    /// <param name="position">The entry, when true.</param>
    public static bool TryOpen(ReadOnlySpan<byte> id, ReadOnlySpan<byte> from, IdSeal seal, out EntryPosition position)
    {
        ArgumentNullException.ThrowIfNull(seal);
        position = EntryPosition.Zero;
        if (id.Length > MaxBytes || !id.StartsWith("b-"u8))
            return false;
        var before = id.LastIndexOf((byte)'-');
        var digits = id[(before + 1)..];
        // Upper-case digits would parse, and are not what was written.
        if (digits.Length != IdSeal.Digits || digits.ContainsAnyInRange((byte)'A', (byte)'F')
            || !ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            || value != seal.Of(id[..before], from))
            return false;
        // What bears the seal was written here; the form is looked at all the same, because a key may outlive a version.
        return TryReadPosition(id, out position);
    }

    /// <summary>Which entry an id names, whoever made it: its seal is not looked at.</summary>
    /// <param name="id">The id, UTF-8.</param>
    /// <param name="position">The entry, when true.</param>
    internal static bool TryReadPosition(ReadOnlySpan<byte> id, out EntryPosition position)
    {
        position = EntryPosition.Zero;
        var before = id.LastIndexOf((byte)'-');
        if (before < 2 || !id.StartsWith("b-"u8))
            return false;
        var middle = id[2..before];
        var dash = middle.IndexOf((byte)'-');
        if (dash <= 0)
            return false;
        var text = middle[(dash + 1)..];
        if (EntryPosition.TryParse(text, out position))
            return true;
        if (!Utf8Parser.TryParse(text, out ulong sequence, out var used) || used != text.Length)
            return false;
        position = EntryPosition.OfSequence(sequence);
        return true;
    }
}
