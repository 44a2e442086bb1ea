using Bridge.Fuzz.Tests.Corpora;
using Bridge.Fuzz.Tests.Judging;

namespace Bridge.Fuzz.Tests;

/// <summary>What became of one input.</summary>
/// <param name="Fault">The promise that was broken, if any.</param>
/// <param name="Passed">Whether the input was taken as good.</param>
/// <param name="Verdicts">What is counted about it: the reason of a rejection, and the reason inside of one.</param>
/// <param name="Trait">How it was treated, see <see cref="Corpora.Trait" />.</param>
/// <param name="Judged">What the judge is to look at, if anything.</param>
internal readonly record struct Examination(string? Fault, bool Passed, string[] Verdicts, ulong Trait, JudgedCase? Judged);

/// <summary>Something that takes hostile input. Examines one input at a time; same input, same outcome.</summary>
internal abstract class FuzzTarget
{
    /// <summary>Where its inputs come from.</summary>
    public abstract InputSource Inputs(int seed);

    /// <summary>Gives it the input; never throws.</summary>
    public abstract Examination Examine(byte[] input);
}
