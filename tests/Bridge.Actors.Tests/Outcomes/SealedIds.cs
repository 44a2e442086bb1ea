using System.Text;
using Bridge.Outcomes;
using Bridge.Queue;

namespace Bridge.Actors.Tests.Outcomes;

/// <summary>Generated ids with a seal, as a list queue of the tests writes them.</summary>
internal static class SealedIds
{
    public const string Prefix = "0123456789abcdef";

    public static readonly IdSeal Seal = new("000102030405060708090a0b0c0d0e0f");

    public static string Of(ulong sequence, string to)
    {
        Span<byte> id = stackalloc byte[GeneratedIds.MaxBytes];
        var length = new GeneratedIds(Prefix, ofStream: false, Seal).Write(EntryPosition.OfSequence(sequence), Encoding.UTF8.GetBytes(to), id);
        return Encoding.ASCII.GetString(id[..length]);
    }
}
