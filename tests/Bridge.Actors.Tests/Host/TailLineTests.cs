using System.Text.Json;
using Bridge.Host.Cli;

namespace Bridge.Actors.Tests.Host;

public sealed class TailLineTests
{
    [Theory]
    [InlineData("inbound", "kind=message|type=chat|id=m1|from=ada@a/x|to=box@b|body=hi|stamp=s-1|xml=<m/>", "inbound message chat ada@a/x -> box@b id=m1 body: hi")]
    [InlineData("inbound", "kind=presence|from=ada@a/x|to=box@b", "inbound presence ada@a/x -> box@b")]
    [InlineData("inbound", "kind=message|type=error|from=ada@a|to=box@b|condition=gone|error-type=cancel|text=no more", "inbound message error ada@a -> box@b cancel gone: no more")]
    [InlineData("outcomes", "ending=bounced|id=m1|to=ada@a|late=1|kind=message|type=cancel|condition=gone|text=|attempts=1", "outcome bounced late to ada@a id=m1 cancel gone")]
    [InlineData("outcomes", "ending=held|id=m1|to=ada@a|meta={}", "outcome held to ada@a id=m1 meta={}")]
    [InlineData("inbound", "kind=message|body=a\u001b[31mb\n\u009bc\td", "inbound message body: a [31mb  c d")]
    public void A_line_says_what_matters_without_control_characters(string stream, string fields, string words) =>
        Assert.Equal("2026-01-31T23:59:59.000Z " + words, Line(stream, fields).Words());

    [Fact]
    public void A_long_text_is_cut() =>
        Assert.EndsWith(" body: " + new string('x', 200) + "…", Line("inbound", "kind=message|body=" + new string('x', 1_000)).Words(), StringComparison.Ordinal);

    [Fact]
    public void As_json_it_has_every_field_and_no_control_character()
    {
        var json = Line("inbound", "kind=message|body=a\u001bb\n\u009bc|xml=<m>é</m>").Json();
        using var parsed = JsonDocument.Parse(json);

        Assert.DoesNotContain(json, char.IsControl);
        Assert.Equal(["stream", "entry", "kind", "body", "xml"], parsed.RootElement.EnumerateObject().Select(member => member.Name));
        Assert.Equal("a\u001bb\n\u009bc", parsed.RootElement.GetProperty("body").GetString());
        Assert.Contains("<m>é</m>", json, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0", true)]
    [InlineData("1769903999000", true)]
    [InlineData("1769903999000-12", true)]
    [InlineData("", false)]
    [InlineData("$", false)]
    [InlineData("1-2-3", false)]
    [InlineData("-1", false)]
    public void An_id_is_two_numbers_or_one(string text, bool isOne) => Assert.Equal(isOne, TailLine.IsId(text));

    [Fact]
    public void An_id_beyond_all_time_is_shown_as_it_is() =>
        Assert.StartsWith("9223372036854775807-0 inbound", new TailLine("inbound", "9223372036854775807-0", []).Words(), StringComparison.Ordinal);

    private static TailLine Line(string stream, string fields) => new(
        stream, "1769903999000-0", [.. fields.Split('|').Select(field => field.Split('=', 2)).Select(field => KeyValuePair.Create(field[0], field[1]))]);
}
