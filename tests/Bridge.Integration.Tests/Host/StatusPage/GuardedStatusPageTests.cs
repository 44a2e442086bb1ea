using System.Globalization;
using System.Net;
using System.Text.Json;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Host.StatusPage;

/// <summary>The page where others may reach it: with a token, and without one.</summary>
public sealed class GuardedStatusPageTests
{
    private const string Token = "a-token-that-nobody-guesses-0123456789";

    [Fact]
    public async Task With_a_token_only_who_shows_it_sees_anything_and_nobody_changes_what_is_switched_off()
    {
        await using var stage = await StatusPageStage.StartAsync("bridge.page { payloads = on, changes = off }", ("BRIDGE_HTTP_TOKEN", Token));
        var ids = await stage.BuryAsync(1);
        (string, string) bearer = ("Authorization", "Bearer " + Token);

        // A browser gets the form, everybody else the words.
        using (var answer = await stage.SendAsync(HttpMethod.Get, "/", null))
        {
            Assert.Equal((HttpStatusCode.Unauthorized, "text/html"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
            Assert.Contains("<form method=\"post\" action=\"/session\">", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            Assert.Contains("form-action 'self'", string.Join(' ', answer.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
        }

        foreach (var path in new[] { "/api/status", "/api/history?bridge=main", "/api/events", "/api/dead", "/nothing", $"/api/status?token={Token}" })
        {
            Assert.Equal(HttpStatusCode.Unauthorized, (await stage.AskAsync(path)).Status);
            Assert.Equal(HttpStatusCode.Unauthorized, (await stage.AskAsync(path, ("Authorization", "Bearer another-token-of-that-length"))).Status);
            Assert.Equal(HttpStatusCode.Unauthorized, (await stage.AskAsync(path, ("Authorization", "Basic " + Token))).Status);
        }

        Assert.Equal(HttpStatusCode.OK, (await stage.AskAsync("/health/ready")).Status);
        Assert.Equal(HttpStatusCode.OK, (await stage.AskAsync("/metrics")).Status);
        Assert.Equal("main", (await stage.JsonAsync("/api/status", bearer)).GetProperty("bridges")[0].GetProperty("name").GetString());

        // Asked for and permitted.
        var letter = (await stage.JsonAsync($"/api/dead?bridge=main&id={ids[0]}&payload=1", bearer)).GetProperty("letters")[0];
        Assert.Equal((StatusPageStage.Words + " 0", false), (letter.GetProperty("payload").GetString(), letter.GetProperty("cut").GetBoolean()));
        Assert.DoesNotContain(StatusPageStage.Words, (await stage.AskAsync("/api/dead?bridge=main", bearer)).Body, StringComparison.Ordinal);

        // Of a long one the beginning.
        var longer = (await stage.BuryAsync(new string('é', 40_000)))[^1];
        letter = (await stage.JsonAsync($"/api/dead?bridge=main&id={longer}&payload=1", bearer)).GetProperty("letters")[0];
        Assert.Equal((new string('é', 32 * 1024), true), (letter.GetProperty("payload").GetString(), letter.GetProperty("cut").GetBoolean()));
        Assert.Equal(80_000, letter.GetProperty("size").GetInt32());

        var (status, words) = await stage.PostAsync("/api/dead/purge", $$"""{"ids":["{{ids[0]}}"]}""", bearer);
        Assert.Equal(HttpStatusCode.Forbidden, status);
        Assert.Contains("bridge.page.changes", words, StringComparison.Ordinal);
        Assert.Equal(2, await stage.Redis.StreamLengthAsync("{xmpp:outbound}:dead"));

        await SignInAndOutAsync(stage);
        await AskByCommandAsync(stage);
        Assert.DoesNotContain(Token, string.Join('\n', stage.Bridge.Process.Lines), StringComparison.Ordinal);
        Assert.Equal(0, await stage.Bridge.StopAsync());
    }

    [Fact]
    public async Task Where_others_reach_it_and_there_is_no_token_the_page_is_closed_and_says_which_setting_opens_it()
    {
        var port = FreePorts.Next();
        await using var stage = await StatusPageStage.StartAsync("", ("BRIDGE_HTTP", string.Create(CultureInfo.InvariantCulture, $"*:{port}")));

        foreach (var path in new[] { "/", "/api/status", "/api/events", "/api/dead", "/nothing" })
        {
            var (status, words) = await stage.AskAsync(path);
            Assert.Equal(HttpStatusCode.Forbidden, status);
            Assert.Contains("bridge.page.token-file", words, StringComparison.Ordinal);
        }

        Assert.Equal(HttpStatusCode.Forbidden, (await stage.PostAsync("/session", "token=", ("Content-Type", "application/x-www-form-urlencoded"))).Status);
        Assert.Equal(HttpStatusCode.OK, (await stage.AskAsync("/health/live")).Status);
        Assert.Equal(HttpStatusCode.OK, (await stage.AskAsync("/metrics")).Status);

        var (code, output) = await BridgeCommand.RunAsync(["status", "--url", $"http://127.0.0.1:{port}"]);
        Assert.Equal(1, code);
        Assert.Contains("BRIDGE_HTTP_TOKEN", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task However_many_ask_for_dead_letters_at_once_few_ask_Redis_and_all_are_answered()
    {
        await using var stage = await StatusPageStage.StartAsync();
        stage.RedisServer.Freeze();

        // Each of the first waits for a connection that does not come, four at a time; the last have waited for longer than anybody has to.
        var answers = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => stage.AskAsync("/api/dead")).ToArray());
        stage.RedisServer.Thaw();

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.Status));
        var refused = answers.Count(answer => answer.Body.StartsWith("Too many ask for dead letters at once.", StringComparison.Ordinal));
        Assert.Equal(answers.Length - refused, answers.Count(answer => answer.Body.StartsWith("Redis: ", StringComparison.Ordinal)));
        Assert.InRange(refused, 8, 28);
        Assert.Equal(0, (await stage.JsonAsync("/api/dead")).GetProperty("total").GetInt32());
    }

    private static async Task SignInAndOutAsync(StatusPageStage stage)
    {
        Assert.Equal(HttpStatusCode.Unauthorized, (await SignInAsync("another-token-of-that-length")).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await SignInAsync(Token, ("Origin", "http://evil.example.com"))).Status);
        var (status, cookie) = await SignInAsync(Token, ("Origin", stage.Bridge.Http.GetLeftPart(UriPartial.Authority)));
        Assert.Equal(HttpStatusCode.SeeOther, status);
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("max-age=43200", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("secure", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(Token, cookie, StringComparison.Ordinal);
        Assert.Contains("secure", (await SignInAsync(Token, ("Host", "bridge.example.com"), ("Origin", "https://bridge.example.com"))).Cookie, StringComparison.OrdinalIgnoreCase);

        (string, string) session = ("Cookie", cookie.Split(';')[0]);
        Assert.Contains("<script>", (await stage.AskAsync("/", session)).Body, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await stage.AskAsync("/api/status", session)).Status);

        using var events = await stage.SendAsync(HttpMethod.Get, "/api/events", null, session);
        Assert.Equal(HttpStatusCode.NoContent, (await stage.PostAsync("/session/end", "{}", session)).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await stage.AskAsync("/api/status", session)).Status);
        // What it was still told ends with it.
        _ = await events.Content.ReadAsStringAsync().WaitAsync(TimeSpan.FromSeconds(10));

        async Task<(HttpStatusCode Status, string Cookie)> SignInAsync(string token, params (string Name, string Value)[] headers)
        {
            using var form = new FormUrlEncodedContent([new("token", token)]);
            using var answer = await stage.SendAsync(HttpMethod.Post, "/session", form, headers);
            return (answer.StatusCode, answer.Headers.TryGetValues("Set-Cookie", out var cookies) ? string.Join('\n', cookies) : "");
        }
    }

    private static async Task AskByCommandAsync(StatusPageStage stage)
    {
        string[] command = ["status", "--json", "--url", stage.Bridge.Http.ToString()];

        var (code, output) = await BridgeCommand.RunAsync(command, ("BRIDGE_HTTP_TOKEN", Token));
        Assert.Equal(0, code);
        using (var report = JsonDocument.Parse(output))
            Assert.Equal("main", report.RootElement.GetProperty("bridges")[0].GetProperty("name").GetString());

        (code, output) = await BridgeCommand.RunAsync(command);
        Assert.Equal(1, code);
        Assert.Contains("BRIDGE_HTTP_TOKEN", output, StringComparison.Ordinal);
        (code, output) = await BridgeCommand.RunAsync(
            ["status"], ("BRIDGE_HTTP", stage.Bridge.Http.Authority), ("BRIDGE_DOMAIN", "a.b"), ("BRIDGE_SECRET", "x"), ("BRIDGE_HTTP_TOKEN", Token));
        Assert.Equal(0, code);
        Assert.Contains("main", output, StringComparison.Ordinal);
        (code, output) = await BridgeCommand.RunAsync(command, ("BRIDGE_HTTP_TOKEN", "another-token-of-that-length"));
        Assert.Equal(1, code);
        Assert.Contains("another token", output, StringComparison.Ordinal);
    }
}
