using Bridge.Fuzz.Tests.Corpora;
using Bridge.Stanzas;

namespace Bridge.Fuzz.Tests;

/// <summary>The reader of what the server sends: whatever comes, and however it is cut, it tells the same.</summary>
internal sealed class ReaderTarget : FuzzTarget
{
    private const int MaxBytes = FuzzedEncoder.MaxBytes;

    public override InputSource Inputs(int seed) => InputSource.OfStreams(seed);

    public override Examination Examine(byte[] input)
    {
        try
        {
            return ExamineUnguarded(input);
        }
        catch (Exception fault)
        {
            // Not hidden: that it threw is the finding.
            return new Examination($"threw {fault}", false, [], 0, null);
        }
    }

    private static Examination ExamineUnguarded(byte[] bytes)
    {
        var whole = Told(bytes, null);
        var fault = FaultOf(whole);
        foreach (var pieces in Cuts(bytes))
        {
            var told = Told(bytes, pieces);
            if (fault is null && !whole.SequenceEqual(told))
                fault = $"cut, it is told as {string.Join(" | ", told)}, and whole as {string.Join(" | ", whole)}";
        }

        var last = whole.Count == 0 ? "nothing" : whole[^1];
        var trait = new Trait();
        foreach (var line in whole)
            trait.Add(line.AsSpan(0, Math.Min(line.Length, 5)).ToString());
        trait.AddMagnitude(whole.Count);
        trait.Add(last.StartsWith("malformed", StringComparison.Ordinal) ? last : "");
        return new Examination(fault, last == "end", [last.StartsWith("malformed", StringComparison.Ordinal) || last == "end" ? last : "not ended"], trait.Value, null);
    }

    private static List<string> Told(byte[] bytes, Func<int>? pieces) =>
        StreamTranscript.Of(new StanzaReader(MaxBytes, FuzzedEncoder.MaxDepth), bytes, pieces, MaxBytes);

    private static string? FaultOf(List<string> lines)
    {
        for (var i = 0; i < lines.Count; i++)
        {
            var ends = lines[i] == "end" || lines[i].StartsWith("malformed: ", StringComparison.Ordinal);
            if (ends && i < lines.Count - 1)
                return $"told something behind the end: {lines[i + 1]}";
            if (lines[i] == "malformed: ")
                return "malformed without a reason";
        }

        return null;
    }

    // Byte by byte, in two at some place, and in pieces of many sizes: by the input alone, so that it can be repeated.
    private static IEnumerable<Func<int>> Cuts(byte[] bytes)
    {
        yield return () => 1;
        if (bytes.Length == 0)
            yield break;
        var random = new Random(bytes.Length + (31 * bytes[bytes.Length / 2]) + (1009 * bytes[bytes.Length / 3]));
        for (var cut = 0; cut < 2; cut++)
        {
            var first = true;
            var at = random.Next(1, bytes.Length + 1);
            yield return () =>
            {
                var length = first ? at : bytes.Length;
                first = false;
                return length;
            };
        }

        yield return () => 1 + random.Next(1 << random.Next(11));
    }
}
