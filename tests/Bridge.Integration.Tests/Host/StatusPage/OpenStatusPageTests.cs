using System.Globalization;
using System.Net;
using System.Text.Json;
using Bridge.Host.StatusPage;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Host.StatusPage;

/// <summary>The page as it comes: at the loopback, without a token.</summary>
public sealed class OpenStatusPageTests(OpenStatusPageTests.Fixture fixture) : IClassFixture<OpenStatusPageTests.Fixture>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private StatusPageStage Stage => fixture.Stage;

    [Fact]
    public async Task The_page_needs_nothing_but_itself_and_its_policy_lets_nothing_else_run()
    {
        using var answer = await Stage.SendAsync(HttpMethod.Get, "/", null);
        var page = await answer.Content.ReadAsStringAsync();
        var policy = Header(answer, "Content-Security-Policy");

        Assert.Equal((HttpStatusCode.OK, "text/html"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
        Assert.StartsWith("default-src 'none'; style-src 'sha256-", policy, StringComparison.Ordinal);
        Assert.Contains("script-src 'sha256-", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("require-trusted-types-for 'script'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Equal(("nosniff", "no-referrer", "no-store"), (Header(answer, "X-Content-Type-Options"), Header(answer, "Referrer-Policy"), Header(answer, "Cache-Control")));
        Assert.Equal(1, page.Split("<script>").Length - 1);
        Assert.DoesNotContain("innerHTML", page, StringComparison.Ordinal);
        // The name of a namespace is no address that is asked for.
        Assert.DoesNotContain("://", page.Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.DoesNotContain(StatusPageStage.Secret, page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/api/status")]
    [InlineData("/API/STATUS")]
    [InlineData("/api/history?bridge=main")]
    [InlineData("/api/events")]
    [InlineData("/api/dead")]
    [InlineData("/anything")]
    public async Task A_name_that_leads_here_from_elsewhere_is_refused_but_for_health_and_metrics(string path)
    {
        var (status, body) = await Stage.AskAsync(path, ("Host", "rebound.example.com"));

        Assert.Equal(HttpStatusCode.Forbidden, status);
        Assert.Contains("Host header", body, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await Stage.AskAsync("/health/live", ("Host", "rebound.example.com"))).Status);
        Assert.Equal(HttpStatusCode.OK, (await Stage.AskAsync("/metrics", ("Host", "rebound.example.com"))).Status);
    }

    [Theory]
    [InlineData("/api/status")]
    [InlineData("/api/events")]
    [InlineData("/api/dead")]
    public async Task A_page_of_another_site_reads_nothing(string path) =>
        Assert.Equal(HttpStatusCode.Forbidden, (await Stage.AskAsync(path, ("Sec-Fetch-Site", "cross-site"))).Status);

    [Fact]
    public async Task The_history_tells_what_was_confirmed()
    {
        await Stage.PushAsync(50);
        JsonElement history = default;
        await Eventually.TrueAsync(
            async () => (history = await Stage.JsonAsync("/api/history?bridge=main")).GetProperty("confirmed").EnumerateArray().Any(rate => rate.GetDouble() > 0),
            Patience,
            "the history has messages",
            () => history.ToString());

        var samples = history.GetProperty("at").GetArrayLength();
        string[] columns = ["confirmed", "confirmMean", "confirmMost", "roundTrip", "queued", "oldest", "unconfirmed", "window"];
        Assert.All(columns, column => Assert.Equal(samples, history.GetProperty(column).GetArrayLength()));
        Assert.Contains(history.GetProperty("confirmMean").EnumerateArray(), time => time.ValueKind == JsonValueKind.Number && time.GetDouble() > 0);
        Assert.Equal(HttpStatusCode.NotFound, (await Stage.AskAsync("/api/history?bridge=another")).Status);
    }

    [Fact]
    public async Task Events_tell_at_once_and_then_every_second_without_secrets_and_bodies()
    {
        await Stage.PushAsync(5);
        using var answer = await Stage.SendAsync(HttpMethod.Get, "/api/events", null);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);

        var times = new List<DateTimeOffset>();
        while (times.Count < 3)
        {
            var line = await reader.ReadLineAsync().WaitAsync(Patience);
            if (line is not { Length: > 0 })
                continue;
            Assert.StartsWith("data: {", line, StringComparison.Ordinal);
            Assert.DoesNotContain(StatusPageStage.Secret, line, StringComparison.Ordinal);
            Assert.DoesNotContain(StatusPageStage.Words, line, StringComparison.Ordinal);
            using var snapshot = JsonDocument.Parse(line["data: ".Length..]);
            var here = snapshot.RootElement.GetProperty("here")[0];
            Assert.Equal(("main", "owner", "established"), (here.GetProperty("name").GetString(), here.GetProperty("role").GetString(), here.GetProperty("connection").GetString()));
            Assert.Equal("main", snapshot.RootElement.GetProperty("status").GetProperty("bridges")[0].GetProperty("name").GetString());
            times.Add(snapshot.RootElement.GetProperty("time").GetDateTimeOffset());
        }

        Assert.InRange(times[2] - times[1], TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task So_many_listen_and_the_next_may_when_one_has_gone()
    {
        var listeners = new List<HttpResponseMessage>();
        try
        {
            await Eventually.TrueAsync(
                async () =>
                {
                    var answer = await Stage.SendAsync(HttpMethod.Get, "/api/events", null);
                    listeners.Add(answer);
                    return answer.StatusCode == HttpStatusCode.ServiceUnavailable;
                },
                Patience,
                "the page has as many listeners as it may");
            Assert.InRange(listeners.Count, 2, PageFeed.MostListeners + 1);
            Assert.True(listeners[^1].Headers.RetryAfter?.Delta > TimeSpan.Zero);

            listeners[0].Dispose();
            await Eventually.TrueAsync(
                async () =>
                {
                    listeners.Add(await Stage.SendAsync(HttpMethod.Get, "/api/events", null));
                    return listeners[^1].StatusCode == HttpStatusCode.OK;
                },
                Patience,
                "the place of who has gone is free");
        }
        finally
        {
            listeners.ForEach(listener => listener.Dispose());
        }
    }

    [Fact]
    public async Task Dead_letters_are_told_page_by_page_without_what_they_say()
    {
        var ids = await Stage.BuryAsync(3);

        var first = await Stage.JsonAsync("/api/dead?bridge=main&count=2");
        var second = await Stage.JsonAsync("/api/dead?bridge=main&count=2&after=" + first.GetProperty("next").GetString());

        Assert.Equal(ids.Length, first.GetProperty("total").GetInt64());
        Assert.Equal(ids.Reverse().Take(4), Ids(first).Concat(Ids(second)));
        var letter = first.GetProperty("letters")[0];
        Assert.Equal(("unknown-payload-kind", 0), (letter.GetProperty("reason").GetString(), letter.GetProperty("attempts").GetInt32()));
        Assert.True(letter.GetProperty("size").GetInt64() >= StatusPageStage.Words.Length);
        Assert.DoesNotContain(StatusPageStage.Words, first.ToString(), StringComparison.Ordinal);
        Assert.False(letter.TryGetProperty("payload", out _));

        var (status, body) = await Stage.AskAsync($"/api/dead?bridge=main&id={ids[0]}&payload=1");
        Assert.Equal(HttpStatusCode.Forbidden, status);
        Assert.Contains("bridge.page.payloads", body, StringComparison.Ordinal);
        Assert.DoesNotContain(StatusPageStage.Words, (await Stage.AskAsync($"/api/dead?bridge=main&id={ids[0]}")).Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/api/dead?bridge=another", HttpStatusCode.NotFound)]
    [InlineData("/api/dead?id=1-1", HttpStatusCode.NotFound)]
    [InlineData("/api/dead?after=x", HttpStatusCode.BadRequest)]
    [InlineData("/api/dead?id=1-1-1", HttpStatusCode.BadRequest)]
    [InlineData("/api/dead?count=0", HttpStatusCode.BadRequest)]
    [InlineData("/api/dead?count=101", HttpStatusCode.BadRequest)]
    [InlineData("/api/dead?payload=1", HttpStatusCode.BadRequest)]
    [InlineData("/api/dead/replay", HttpStatusCode.MethodNotAllowed)]
    [InlineData("/api/dead/purge?all=true", HttpStatusCode.MethodNotAllowed)]
    public async Task What_cannot_be_meant_is_refused(string path, HttpStatusCode status) =>
        Assert.Equal(status, (await Stage.AskAsync(path)).Status);

    [Theory]
    [InlineData("Origin", "http://evil.example.com", HttpStatusCode.Forbidden)]
    [InlineData("Origin", "null", HttpStatusCode.Forbidden)]
    [InlineData("Sec-Fetch-Site", "cross-site", HttpStatusCode.Forbidden)]
    [InlineData("Sec-Fetch-Site", "same-site", HttpStatusCode.Forbidden)]
    [InlineData("Host", "rebound.example.com", HttpStatusCode.Forbidden)]
    [InlineData("Content-Type", "text/plain", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("Content-Type", "application/x-www-form-urlencoded", HttpStatusCode.UnsupportedMediaType)]
    public async Task No_request_of_another_site_changes_anything(string header, string value, HttpStatusCode expected)
    {
        var ids = await Stage.BuryAsync(1);

        foreach (var path in new[] { "/api/dead/replay", "/api/dead/purge", "/session/end" })
            Assert.Equal(expected, (await Stage.PostAsync(path, $$"""{"bridge":"main","ids":["{{ids[^1]}}"]}""", (header, value))).Status);

        Assert.Equal(ids.Length, await Stage.Redis.StreamLengthAsync("{xmpp:outbound}:dead"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("""{"bridge":"main"}""")]
    [InlineData("""{"bridge":"main","ids":[]}""")]
    [InlineData("""{"bridge":"main","ids":["1-1"],"all":true}""")]
    [InlineData("""{"bridge":"main","ids":["*"]}""")]
    [InlineData("""{"bridge":"main","ids":[null]}""")]
    [InlineData("""{"bridge":"main","al":true}""")]
    public async Task An_order_that_is_not_clear_does_nothing(string order)
    {
        var ids = await Stage.BuryAsync(1);

        Assert.Equal(HttpStatusCode.BadRequest, (await Stage.PostAsync("/api/dead/purge", order)).Status);

        Assert.Equal(ids.Length, await Stage.Redis.StreamLengthAsync("{xmpp:outbound}:dead"));
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_not_read() =>
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await Stage.PostAsync("/api/dead/purge", new string(' ', PageRoutes.MostBody + 1))).Status);

    [Fact]
    public async Task Dead_letters_are_put_back_and_thrown_away_and_all_only_by_who_knows_how_many()
    {
        var ids = await Stage.BuryAsync(3);
        string[] own = ["Origin", Stage.Bridge.Http.GetLeftPart(UriPartial.Authority)];

        // What was rejected for its form comes back: under another id.
        var (status, replayed) = await Stage.PostAsync("/api/dead/replay", $$"""{"bridge":"main","ids":["{{ids[^1]}}","1-1"]}""", (own[0], own[1]), ("Sec-Fetch-Site", "same-origin"));
        Assert.Equal((HttpStatusCode.OK, """{"replayed":1,"withoutBody":0,"missing":1}"""), (status, replayed));
        await Eventually.TrueAsync(
            async () => await Stage.Redis.StreamLengthAsync("{xmpp:outbound}:dead") == ids.Length && (await Stage.Redis.StreamRangeAsync("{xmpp:outbound}:dead", ids[^1], ids[^1])).Length == 0,
            Patience,
            "what was put back is dead-lettered again");

        Assert.Equal((HttpStatusCode.OK, """{"purged":1,"missing":0}"""), await Stage.PostAsync("/api/dead/purge", $$"""{"ids":["{{ids[^2]}}"]}"""));
        Assert.Equal(HttpStatusCode.Conflict, (await Stage.PostAsync("/api/dead/purge", """{"bridge":"main","all":true}""")).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await Stage.PostAsync("/api/dead/purge", """{"bridge":"main","all":true,"count":1000000}""")).Status);
        var left = await Stage.Redis.StreamLengthAsync("{xmpp:outbound}:dead");
        Assert.Equal(ids.Length - 1, left);

        Assert.Equal(
            (HttpStatusCode.OK, string.Create(CultureInfo.InvariantCulture, $$"""{"purged":{{left}},"missing":0}""")),
            await Stage.PostAsync("/api/dead/purge", string.Create(CultureInfo.InvariantCulture, $$"""{"bridge":"main","all":true,"count":{{left}}}""")));
        Assert.Equal(0, await Stage.Redis.StreamLengthAsync("{xmpp:outbound}:dead"));
        Assert.Contains(Stage.Bridge.Process.Lines, line => line.Contains("1 dead letters put back by the status page", StringComparison.Ordinal));
        Assert.DoesNotContain(StatusPageStage.Words, Stage.Bridge.Process.Output, StringComparison.Ordinal);
    }

    private static IEnumerable<string?> Ids(JsonElement page) => page.GetProperty("letters").EnumerateArray().Select(letter => letter.GetProperty("id").GetString());

    private static string Header(HttpResponseMessage answer, string name) => string.Join(", ", answer.Headers.GetValues(name));

    /// <summary>One program for all of these tests, which xUnit runs one after the other.</summary>
    public sealed class Fixture : IAsyncLifetime
    {
        internal StatusPageStage Stage { get; private set; } = null!;

        async Task IAsyncLifetime.InitializeAsync() => Stage = await StatusPageStage.StartAsync();

        Task IAsyncLifetime.DisposeAsync() => Stage.DisposeAsync().AsTask();
    }
}
