namespace Bridge.Fuzz.Tests;

public sealed class DeltaDebuggingTests
{
    [Fact]
    public void Only_the_bytes_that_make_an_input_fail_are_left()
    {
        var input = new byte[1000];
        (input[17], input[500], input[999]) = (1, 2, 3);

        var smallest = DeltaDebugging.Shrink(input, bytes => bytes.AsSpan().Trim((byte)0).IndexOf((byte)2) >= 0 && bytes.Contains((byte)1) && bytes.Contains((byte)3));

        Assert.Equal([1, 2, 3], smallest);
    }

    [Fact]
    public void An_input_that_fails_for_any_content_shrinks_to_nothing() =>
        Assert.Empty(DeltaDebugging.Shrink(new byte[10], _ => true));
}
