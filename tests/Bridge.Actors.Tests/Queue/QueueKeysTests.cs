using System.Text;
using Bridge.Queue;

namespace Bridge.Actors.Tests.Queue;

public sealed class QueueKeysTests
{
    [Theory]
    [InlineData("xmpp:outbound", "{xmpp:outbound}")]
    [InlineData("{tenant}:out", "{tenant}:out")]
    [InlineData("a{b}c", "a{b}c")]
    [InlineData("ümlaut", "{ümlaut}")]
    public void All_keys_of_a_queue_share_its_slot(string queue, string tagged)
    {
        Assert.True(QueueKeys.TryCreate(queue, out var keys, out var mistake));
        Assert.Null(mistake);
        Assert.Equal(queue, keys!.Queue);
        Assert.Equal(
            [":inflight", ":runs", ":lease", ":confirmed", ":dead", ":outcomes", ":none"],
            new[] { keys.Inflight, keys.Runs, keys.Lease, keys.Confirmed, keys.Dead, keys.Outcomes, keys.None }.Select(key => key[tagged.Length..]));
        Assert.All(
            [keys.Inflight, keys.Runs, keys.Lease, keys.Confirmed, keys.Dead, keys.Outcomes, keys.None],
            key => Assert.Equal(Slot(queue), Slot(key)));
    }

    [Fact]
    public void Every_key_that_is_derived_is_among_all_of_them_and_in_the_slot()
    {
        Assert.True(QueueKeys.TryCreate("xmpp:outbound", out var keys, out _));
        var derived = typeof(QueueKeys).GetProperties()
            .Where(property => property.PropertyType == typeof(string) && property.Name != nameof(QueueKeys.Queue))
            .Select(property => (string)property.GetValue(keys)!)
            .ToArray();
        Assert.Equal(derived.Order(StringComparer.Ordinal), keys!.All.Order(StringComparer.Ordinal));
        Assert.Equal(derived.Length, derived.Distinct().Count());
        Assert.All(derived, key => Assert.Equal(Slot(keys.Queue), Slot(key)));
    }

    [Theory]
    [InlineData("", "must not be empty")]
    [InlineData("a{b", "one balanced pair")]
    [InlineData("a}b", "one balanced pair")]
    [InlineData("a}b{c", "one balanced pair")]
    [InlineData("{a}{b}", "one balanced pair")]
    [InlineData("{{a}}", "one balanced pair")]
    [InlineData("a{}b", "must not be empty")]
    public void A_name_that_would_scatter_the_keys_is_refused_in_words(string queue, string words)
    {
        Assert.False(QueueKeys.TryCreate(queue, out var keys, out var mistake));
        Assert.Null(keys);
        Assert.Contains(words, mistake, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_has_512_bytes_at_most()
    {
        Assert.True(QueueKeys.TryCreate(new string('x', 512), out _, out _));
        Assert.False(QueueKeys.TryCreate(new string('x', 513), out _, out _));
        Assert.False(QueueKeys.TryCreate(new string('ü', 257), out _, out _));
    }

    /// <summary>The slot by the Redis Cluster specification: CRC-16/XMODEM of the hash tag, or of the key without one.</summary>
    private static int Slot(string key)
    {
        var bytes = Encoding.UTF8.GetBytes(key);
        var open = Array.IndexOf(bytes, (byte)'{');
        var close = open < 0 ? -1 : Array.IndexOf(bytes, (byte)'}', open);
        var hashed = close > open + 1 ? bytes[(open + 1)..close] : bytes;
        var crc = 0;
        foreach (var octet in hashed)
        {
            crc ^= octet << 8;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc & 0x8000) != 0 ? ((crc << 1) ^ 0x1021) & 0xFFFF : (crc << 1) & 0xFFFF;
        }

        return crc % 16384;
    }
}
