using System.Globalization;
using System.Text;

namespace Bridge.Deferral;

/// <summary>
/// What Bridge says of a message that it put off, in one line before what the app pushed: so the message comes again as
/// what it was, and whoever owns the queue by then knows of it.
/// <c>!&lt;attempts&gt; &lt;overtaken&gt; &lt;recipient&gt; &lt;taken&gt; &lt;pushed&gt;</c>, times in milliseconds of Unix time. Immutable.
/// </summary>
/// <param name="Attempts">How often it was written.</param>
/// <param name="Overtaken">Whether messages that were pushed behind it went before it.</param>
/// <param name="Recipient">The hash of its recipient, whose other messages queue up behind it; 0 where none do.</param>
/// <param name="TakenAt">When it was first taken.</param>
/// <param name="PushedAt">When it was pushed, where that is known.</param>
public sealed record Deferred(int Attempts, bool Overtaken, ulong Recipient, DateTimeOffset TakenAt, DateTimeOffset? PushedAt)
{
    /// <summary>No payload that an app pushes begins so.</summary>
    public const byte FirstByte = (byte)'!';

    // Five numbers.
    private const int LongestLine = 128;

    /// <summary>The line, without its end.</summary>
    public string Line() => string.Create(
        CultureInfo.InvariantCulture,
        $"!{Attempts} {(Overtaken ? 1 : 0)} {Recipient:x} {TakenAt.ToUnixTimeMilliseconds()} {PushedAt?.ToUnixTimeMilliseconds() ?? 0}");

    /// <summary>Reads the line before a payload.</summary>
    /// <param name="payload">Begins with <see cref="FirstByte" />.</param>
    /// <param name="deferred">What it says.</param>
    /// <param name="length">Where the app's own payload begins.</param>
    public static bool TryRead(ReadOnlySpan<byte> payload, out Deferred? deferred, out int length)
    {
        deferred = null;
        length = payload[..Math.Min(payload.Length, LongestLine)].IndexOf((byte)'\n') + 1;
        if (length == 0
            || Encoding.UTF8.GetString(payload[1..(length - 1)]).Split(' ') is not [var attempts, var overtaken, var hash, var taken, var pushed]
            || !int.TryParse(attempts, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            || !ulong.TryParse(hash, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var recipient)
            || !TryReadTime(taken, out var takenAt)
            || !TryReadTime(pushed, out var pushedAt))
            return false;
        deferred = new Deferred(count, overtaken == "1", recipient, takenAt, pushed == "0" ? null : pushedAt);
        return true;
    }

    private static bool TryReadTime(string text, out DateTimeOffset time)
    {
        time = default;
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
            || milliseconds > DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())
            return false;
        time = DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
        return true;
    }
}

/// <summary>A message that is put off: it leaves the journal, and comes again when it is due, ahead of the queue.</summary>
/// <param name="Due">When.</param>
/// <param name="Said">What is said of it when it comes again.</param>
/// <param name="WhenFull">The dead letter's reason, should there be no room for it.</param>
public sealed record Postponement(DateTimeOffset Due, Deferred Said, string WhenFull);
