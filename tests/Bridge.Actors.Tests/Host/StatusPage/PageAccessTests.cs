using Bridge.Host.Configuration;
using Bridge.Host.StatusPage;
using Microsoft.AspNetCore.Http;

namespace Bridge.Actors.Tests.Host.StatusPage;

public sealed class PageAccessTests
{
    private const string Token = "0123456789abcdef0123";

    private readonly ManualTime time = new();

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1:9180", true)]
    [InlineData("127.0.0.1", "localhost:9180", true)]
    [InlineData("127.0.0.1", "LOCALHOST", true)]
    [InlineData("127.0.0.1", "[::1]:9180", true)]
    [InlineData("::1", "[::1]:9180", true)]
    [InlineData("localhost", "localhost:1", true)]
    [InlineData("127.0.0.1", "evil.example.com:9180", false)]
    [InlineData("127.0.0.1", "127.0.0.1.example.com", false)]
    [InlineData("127.0.0.1", "localhost.example.com", false)]
    [InlineData("127.0.0.1", "any.localhost", false)]
    [InlineData("127.0.0.1", "192.0.2.1:9180", false)]
    [InlineData("127.0.0.1", "", false)]
    public void Without_a_token_only_names_of_the_loopback_lead_to_the_page(string address, string host, bool may)
    {
        var access = Access(address, token: null);

        Assert.Equal(may ? null : Refusal.ForeignHost, access.OfReader(Request("/", host)));
        Assert.Equal(may ? null : Refusal.ForeignHost, access.OfReader(Request("/api/status", host)));
    }

    [Theory]
    [InlineData("*")]
    [InlineData("0.0.0.0")]
    [InlineData("::")]
    [InlineData("192.0.2.1")]
    public void Where_others_reach_it_the_page_is_closed_until_there_is_a_token_and_says_which_setting(string address)
    {
        Assert.Equal(Refusal.Closed, Access(address, token: null).OfReader(Request("/", "127.0.0.1")));
        Assert.Equal(StatusCodes.Status403Forbidden, PageAccess.Status(Refusal.Closed));
        Assert.Contains("bridge.page.token-file", Access(address, token: null).Words(Refusal.Closed), StringComparison.Ordinal);

        Assert.Equal(Refusal.NoToken, Access(address, Token).OfReader(Request("/", "any.example.com")));
        Assert.Null(Access(address, Token).OfReader(Request("/", "any.example.com", ("Authorization", "Bearer " + Token))));
    }

    [Theory]
    [InlineData("Bearer 0123456789abcdef0123", null)]
    [InlineData("bearer 0123456789abcdef0123", null)]
    [InlineData("Bearer 0123456789abcdef012", Refusal.WrongToken)]
    [InlineData("Bearer 0123456789abcdef01234", Refusal.WrongToken)]
    [InlineData("Bearer ", Refusal.WrongToken)]
    [InlineData("Basic 0123456789abcdef0123", Refusal.NoToken)]
    [InlineData(null, Refusal.NoToken)]
    public void With_a_token_it_must_be_shown_whole(string? authorization, object? refusal) =>
        Assert.Equal((Refusal?)refusal, Access("127.0.0.1", Token).OfReader(Request("/api/status", "127.0.0.1", ("Authorization", authorization))));

    [Fact]
    public void A_token_in_the_address_is_none()
    {
        var request = Request("/api/status", "127.0.0.1");
        request.QueryString = new QueryString("?token=" + Token);

        Assert.Equal(Refusal.NoToken, Access("127.0.0.1", Token).OfReader(request));
    }

    [Fact]
    public void Who_signs_in_has_a_session_until_it_ends_or_is_twelve_hours_old()
    {
        var access = Access("127.0.0.1", Token);
        Assert.Equal(Refusal.WrongToken, access.TrySignIn(Request("/session", "h"), "another", out _));
        Assert.Null(access.TrySignIn(Request("/session", "h"), Token, out var first));
        Assert.Null(access.TrySignIn(Request("/session", "h"), Token, out var second));

        Assert.Null(access.OfReader(With(first)));
        access.SignOut(With(first));
        Assert.Equal(Refusal.WrongToken, access.OfReader(With(first)));

        time.Advance(PageSessions.Lifetime - TimeSpan.FromSeconds(1));
        Assert.Null(access.OfReader(With(second)));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(Refusal.WrongToken, access.OfReader(With(second)));
    }

    [Fact]
    public void Sessions_are_bounded_and_the_oldest_goes()
    {
        var access = Access("127.0.0.1", Token);
        var sessions = Enumerable.Range(0, PageSessions.Most + 1).Select(_ =>
        {
            Assert.Null(access.TrySignIn(Request("/session", "h"), Token, out var session));
            return session;
        }).ToList();

        Assert.Equal(Refusal.WrongToken, access.OfReader(With(sessions[0])));
        Assert.All(sessions.Skip(1), session => Assert.Null(access.OfReader(With(session))));
        Assert.Equal(sessions.Count, sessions.Distinct().Count());
    }

    [Theory]
    [InlineData(null, null, true)]
    [InlineData("http://127.0.0.1:9180", "same-origin", true)]
    [InlineData("https://127.0.0.1:9180", null, true)]
    [InlineData(null, "none", true)]
    [InlineData("http://evil.example.com", null, false)]
    [InlineData("http://127.0.0.1:9181", null, false)]
    [InlineData("http://127.0.0.1", null, false)]
    [InlineData("null", null, false)]
    [InlineData("127.0.0.1:9180", null, false)]
    [InlineData(null, "cross-site", false)]
    [InlineData(null, "same-site", false)]
    [InlineData("http://127.0.0.1:9180", "cross-site", false)]
    public void A_page_of_another_site_neither_changes_nor_reads_nor_signs_in(string? origin, string? site, bool may)
    {
        var request = Request("/api/dead/purge", "127.0.0.1:9180", ("Origin", origin), ("Sec-Fetch-Site", site));
        request.ContentType = "application/json; charset=utf-8";
        var refusal = may ? null : (Refusal?)Refusal.CrossSite;

        Assert.Equal(refusal, PageAccess.OfChange(request));
        Assert.Equal(refusal, Access("127.0.0.1", token: null).OfReader(request));
        Assert.Equal(refusal, Access("127.0.0.1", Token).TrySignIn(request, Token, out _));
    }

    [Fact]
    public void A_link_on_another_site_may_lead_to_the_page_itself() =>
        Assert.Null(Access("127.0.0.1", token: null).OfReader(Request("/", "127.0.0.1", ("Sec-Fetch-Site", "cross-site"))));

    [Theory]
    [InlineData("application/json", true)]
    [InlineData("application/x-www-form-urlencoded", false)]
    [InlineData("multipart/form-data", false)]
    [InlineData("text/plain", false)]
    [InlineData("text/plain; application/json", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void What_a_form_can_send_changes_nothing(string? type, bool may)
    {
        var request = Request("/api/dead/purge", "127.0.0.1:9180");
        request.ContentType = type;

        Assert.Equal(may ? null : Refusal.NotJson, PageAccess.OfChange(request));
    }

    private static HttpRequest Request(string path, string host, params ReadOnlySpan<(string Name, string? Value)> headers)
    {
        var request = new DefaultHttpContext().Request;
        request.Method = "GET";
        request.Path = path;
        request.Host = new HostString(host);
        foreach (var (name, value) in headers)
            if (value is not null)
                request.Headers[name] = value;
        return request;
    }

    private static HttpRequest With(string session)
    {
        var request = Request("/api/status", "any.example.com");
        request.Headers.Cookie = $"{PageAccess.CookieName(request)}={session}";
        return request;
    }

    private PageAccess Access(string address, string? token) =>
        new(new HttpAddress(address, 9180), new PageSettings(token is null ? null : new PageToken(token), false, true), time);
}
