using System.Text;
using Bridge.Outcomes;
using Bridge.Queue;

namespace Bridge.Actors.Tests.Outcomes;

public sealed class IdSealTests
{
    private static readonly IdSeal Seal = SealedIds.Seal;

    /// <summary>The reference implementation's vectors (vectors_sip64): key 00 01 … 0f, messages 00 01 ….</summary>
    [Theory]
    [InlineData(0, 0x726fdb47dd0e0e31)]
    [InlineData(1, 0x74f839c593dc67fd)]
    [InlineData(2, 0x0d6c8009d9a94f5a)]
    [InlineData(3, 0x85676696d7fb7e2d)]
    [InlineData(7, 0xab0200f58b01d137)]
    [InlineData(8, 0x93f5f5799a932462)]
    [InlineData(15, 0xa129ca6149be45e5)]
    public void It_is_SipHash_2_4(int length, ulong expected) =>
        Assert.Equal(expected, new IdSeal("07060504030201000f0e0d0c0b0a0908").SipHash([.. Enumerable.Range(0, length).Select(i => (byte)i)]));

    [Theory]
    [InlineData("")]
    [InlineData("0123456789abcdef")]
    [InlineData("0123456789abcdef0123456789abcdeg")]
    public void Another_key_than_32_hexadecimal_digits_is_refused(string key) =>
        Assert.Throws<FormatException>(() => new IdSeal(key));

    [Theory]
    [InlineData("the same address", "ada@example.test", true)]
    [InlineData("its resource", "ada@example.test/phone", true)]
    [InlineData("its case", "ADA@Example.Test", true)]
    [InlineData("another user", "eve@example.test", false)]
    [InlineData("the domain alone", "example.test", false)]
    [InlineData("nobody", "", false)]
    public void An_id_is_opened_by_whom_it_was_written_to_alone(string name, string from, bool opens)
    {
        var id = SealedIds.Of(7, "ada@example.test/desk");

        Assert.True(opens == TryOpen(id, from, out var position), name);
        Assert.Equal(opens ? EntryPosition.OfSequence(7) : EntryPosition.Zero, position);
    }

    [Fact]
    public void Letters_beyond_ASCII_are_compared_in_lower_case_as_well() =>
        Assert.True(TryOpen(SealedIds.Of(7, "ÄDA@exämple.test"), "äda@exämple.test", out _));

    [Theory]
    [InlineData(1UL)]
    [InlineData(ulong.MaxValue)]
    public void A_streams_id_brings_both_halves_back(ulong low)
    {
        var position = new EntryPosition(1_700_000_000_123, low);
        Span<byte> id = stackalloc byte[GeneratedIds.MaxBytes];
        var length = new GeneratedIds("0a1b2c3d", ofStream: true, Seal).Write(position, "ada@example.test"u8, id);

        Assert.True(GeneratedIds.TryOpen(id[..length], "ada@example.test"u8, Seal, out var opened));
        Assert.Equal(position, opened);
    }

    [Theory]
    [InlineData("")]
    [InlineData("b-")]
    [InlineData("b-0123456789abcdef-7")]
    [InlineData("b-0123456789abcdef-7-")]
    [InlineData("b-0123456789abcdef-7-0123456789abcdef")]
    [InlineData("order-7")]
    public void What_bears_no_seal_of_this_key_is_not_opened(string id) => Assert.False(TryOpen(id, "ada@example.test", out _));

    [Fact]
    public void No_other_id_opens_with_a_seal_that_was_seen()
    {
        var id = SealedIds.Of(7, "ada@example.test");
        Assert.False(TryOpen(id.Replace("-7-", "-8-", StringComparison.Ordinal), "ada@example.test", out _));
        Assert.False(TryOpen(id.ToUpperInvariant().Replace('B', 'b'), "ada@example.test", out _));
        Assert.False(GeneratedIds.TryOpen(Encoding.UTF8.GetBytes(id), "ada@example.test"u8, new IdSeal(new string('f', 32)), out _));
    }

    private static bool TryOpen(string id, string from, out EntryPosition position) =>
        GeneratedIds.TryOpen(Encoding.UTF8.GetBytes(id), Encoding.UTF8.GetBytes(from), Seal, out position);
}
