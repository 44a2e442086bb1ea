using System.Text;
using Bridge.Stanzas;
using CsCheck;

namespace Bridge.Actors.Tests.Stanzas;

public sealed class JidTests
{
    public static TheoryData<string, string, string, string> Valid { get; } = new()
    {
        { "example.com", "", "example.com", "" },
        { "a@b", "a", "b", "" },
        { "a@b/c", "a", "b", "c" },
        { "b/c", "", "b", "c" },
        { "a@b/c@d/e", "a", "b", "c@d/e" },
        { "b/a@c", "", "b", "a@c" },
        { "a.b+c=d!#$%^*()?~|{}[]\\;,`@b", "a.b+c=d!#$%^*()?~|{}[]\\;,`", "b", "" },
        { "ada@Example.COM", "ada", "Example.COM", "" },
        { "a@b/ two  words ", "a", "b", " two  words " },
        { "a@b/\"&'/:<>@", "a", "b", "\"&'/:<>@" },
        { "a@b/😀", "a", "b", "😀" },
        { "πλάτων@παράδειγμα.ελ", "πλάτων", "παράδειγμα.ελ", "" },
        { "a@bücher.example", "a", "bücher.example", "" },
        { "a@xn--bcher-kva.example", "a", "xn--bcher-kva.example", "" },
        { "a@例え.テスト", "a", "例え.テスト", "" },
        { "a@127.0.0.1", "a", "127.0.0.1", "" },
        { "a@[::1]/x", "a", "[::1]", "x" },
        { "a@[2001:db8::127.0.0.1]", "a", "[2001:db8::127.0.0.1]", "" },
        { "a@example.com.", "a", "example.com.", "" },
        { "a@1.example", "a", "1.example", "" },
        { "a\u200Db@c", "a\u200Db", "c", "" },
    };

    public static TheoryData<string, string, int> Invalid { get; } = new()
    {
        { "nothing", "", 0 },
        { "no domain", "a@", 2 },
        { "no domain, with resource", "/c", 0 },
        { "no localpart", "@b", 0 },
        { "no resource", "a@b/", 4 },
        { "two ats", "a@b@c", 3 },
        { "a space in the localpart", "a b@c", 1 },
        { "a quote in the localpart", "a\"@c", 1 },
        { "an ampersand in the localpart", "a&@c", 1 },
        { "an apostrophe in the localpart", "'a@c", 0 },
        { "a colon in the localpart", "a:b@c", 1 },
        { "a '<' in the localpart", "a<@c", 1 },
        { "a '>' in the localpart", "a>@c", 1 },
        { "a control in the localpart", "a\u0001@c", 1 },
        { "DEL in the localpart", "a\u007F@c", 1 },
        { "a C1 control in the localpart", "a\u0085@c", 1 },
        { "a wide space in the localpart", "é\u3000@c", 2 },
        { "an invisible character in the localpart", "a\u200B@c", 1 },
        { "a soft hyphen in the localpart", "a\u00AD@c", 1 },
        { "a private character in the localpart", "\uE000@c", 0 },
        { "a noncharacter in the localpart", "\uFDD0@c".Replace("\uFDD0", "\U0001FFFE", StringComparison.Ordinal), 0 },
        { "a control in the resource", "a@b/c\u0001", 5 },
        { "DEL in the resource", "a@b/\u007F", 4 },
        { "a line separator in the resource", "a@b/\u2028", 4 },
        { "a replacement character", "a@b/\uFFFD", 4 },
        { "a space in the domain", "a@b c", 3 },
        { "a trailing space", "a@b ", 3 },
        { "a leading space", " b", 0 },
        { "an underscore in the domain", "a@b_c", 3 },
        { "an empty label", "a@b..c", 4 },
        { "a leading dot", "a@.b", 2 },
        { "a dot alone", "a@.", 2 },
        { "two trailing dots", "a@b..", 4 },
        { "a leading hyphen", "a@-b", 2 },
        { "a trailing hyphen", "a@b-.c", 2 },
        { "a wide full stop", "a@b。c", 3 },
        { "an emoji domain", "a@😀.example", 2 },
        { "a port", "a@b:5222", 3 },
        { "an IPv6 address without brackets", "a@::1", 2 },
        { "an open bracket", "a@[::1", 2 },
        { "a bracket alone", "a@[", 2 },
        { "empty brackets", "a@[]", 2 },
        { "an IPv4 address in brackets", "a@[127.0.0.1]", 2 },
        { "an IPv6 address with a zone", "a@[fe80::1%eth0]", 2 },
        { "no IPv6 address", "a@[1:2:3]", 2 },
    };

    [Theory]
    [MemberData(nameof(Valid))]
    public void An_address_is_split_at_the_first_slash_and_the_at_before_it(string address, string local, string domain, string resource)
    {
        Assert.True(Jid.TryParse(Encoding.UTF8.GetBytes(address), out var jid, out var mistake), mistake.Text);

        Assert.Equal(
            (local, domain, resource),
            (Encoding.UTF8.GetString(jid.Local), Encoding.UTF8.GetString(jid.Domain), Encoding.UTF8.GetString(jid.Resource)));
    }

    [Theory]
    [MemberData(nameof(Invalid))]
    public void What_breaks_a_rule_is_refused_at_its_place(string name, string address, int offset)
    {
        Assert.False(Jid.TryParse(Encoding.UTF8.GetBytes(address), out _, out var mistake), name);

        Assert.Equal((name, offset), (name, mistake.Offset));
        Assert.False(string.IsNullOrEmpty(mistake.Text));
    }

    [Theory]
    [InlineData("{0}@b", 1023, true)]
    [InlineData("{0}@b", 1024, false)]
    [InlineData("a@b/{0}", 1023, true)]
    [InlineData("a@b/{0}", 1024, false)]
    [InlineData("a@{0}", 63, true)]
    [InlineData("a@{0}", 64, false)]
    public void Lengths_are_bounded(string form, int length, bool valid) =>
        Assert.Equal(valid, Jid.IsValid(form.Replace("{0}", new string('x', length), StringComparison.Ordinal), out _));

    [Theory]
    [InlineData(1023, true)]
    [InlineData(1024, false)]
    public void A_domain_has_1023_bytes_at_most(int length, bool valid)
    {
        var domain = string.Concat(Enumerable.Repeat(new string('x', 62) + ".", 20))[..length].TrimEnd('.');
        domain = domain.PadRight(length, 'y');

        Assert.Equal(valid, Jid.IsValid(domain, out _));
    }

    [Fact]
    public void A_lone_surrogate_is_no_address() => Assert.False(Jid.IsValid("a\uD800@b", out _));

    [Theory]
    [InlineData("app.example", true)]
    [InlineData("[::1]", true)]
    [InlineData("bücher.example", true)]
    [InlineData("App.example", false)]
    [InlineData("BÜCHER.example", false)]
    [InlineData("app.example.", false)]
    [InlineData("", false)]
    [InlineData("a@b", false)]
    [InlineData("b/c", false)]
    public void A_canonical_domain_is_lower_case_and_has_no_trailing_dot(string domain, bool canonical) =>
        Assert.Equal(canonical, Jid.IsCanonicalDomain(domain));

    [Fact]
    public void An_ASCII_address_allocates_nothing()
    {
        var address = "ada.lovelace@chat.example.com/phone 1"u8.ToArray();
        Assert.True(Jid.TryParse(address, out _, out _));

        // The least of some: a collection that other tests set off counts what was left of this thread's allocation buffer.
        var least = long.MaxValue;
        for (var attempt = 0; attempt < 10; attempt++)
        {
            var accepted = 0;
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1000; i++)
                accepted += Jid.TryParse(address, out _, out _) ? 1 : 0;
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.Equal(1000, accepted);
        }

        Assert.Equal(0, least);
    }

    [Fact]
    public void The_parts_of_whatever_is_accepted_make_the_address_again() =>
        Gen.OneOf("a", "@", "/", ".", "-", "é", "\u3000", "[", "]", ":", "1", "\"", "\u0001", "😀", "x.y", "a@b/c").Array[0, 8].Select(parts => string.Concat(parts))
            .Sample(
                address =>
                {
                    var bytes = Encoding.UTF8.GetBytes(address);
                    if (!Jid.TryParse(bytes, out var jid, out var mistake))
                    {
                        Assert.InRange(mistake.Offset, 0, bytes.Length);
                        return;
                    }

                    var local = Encoding.UTF8.GetString(jid.Local);
                    var domain = Encoding.UTF8.GetString(jid.Domain);
                    var resource = Encoding.UTF8.GetString(jid.Resource);
                    Assert.Equal(address, (local.Length > 0 ? local + "@" : "") + domain + (resource.Length > 0 ? "/" + resource : ""));
                    Assert.NotEmpty(domain);
                    Assert.DoesNotContain('@', local + domain);
                    Assert.DoesNotContain('/', local + domain);
                },
                iter: 20_000);
}
