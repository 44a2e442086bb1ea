using System.Net;
using System.Text.Json;
using Bridge.Settings;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Examples;

/// <summary>The programs of <c>docs/examples</c> do what they are shown for, with real Redis, Prosody and Bridge.</summary>
public sealed class ExampleTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const string Inbound = "{xmpp:outbound}:inbound";
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("python", ConfirmGrade.Held)]
    [InlineData("ruby", ConfirmGrade.Accepted)]
    [InlineData("nodejs", ConfirmGrade.Held)]
    public async Task The_app_answers_a_request_with_how_its_message_ended(string language, ConfirmGrade grade)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync("prosody"));
        await using var app = await ExampleProcess.StartAppAsync(language, trial.Redis);
        var settings = trial.Settings(grade);
        await using (var bridge = new InProcessBridge(settings with { Confirm = settings.Confirm with { Hold = TimeSpan.FromMilliseconds(200) } }))
        {
            await bridge.EstablishedAsync(Soon);
            // In another order than they are asked they would end in another: each request waits for its own.
            var requests = new (object Message, HttpStatusCode Status, string Ending)[]
            {
                (new { to = "ada@example.test", body = "hi, \u00fc\u20ac" }, HttpStatusCode.OK, grade == ConfirmGrade.Held ? "held" : "accepted"),
                (new { to = "nobody@example.test", body = "hi" }, HttpStatusCode.BadGateway, "bounced"),
                (new { to = "@", body = "hi" }, HttpStatusCode.BadRequest, "dead"),
            };
            var answers = await Task.WhenAll(requests.Select(request => app.PostAsync(request.Message)));

            Assert.Equal(requests.Select(request => (request.Status, request.Ending)), answers.Select(answer => (answer.Status, Ending(answer.Answer))));
            await trial.UserReceived.FirstAsync(stanza => stanza.Body == "hi, \u00fc\u20ac", Soon);
        }

        foreach (var wrong in new object[] { new { to = "ada@example.test" }, new { to = 1, body = "hi" }, new[] { 1 }, "hi" })
            Assert.Equal(HttpStatusCode.BadRequest, (await app.PostAsync(wrong)).Status);

        await trial.Redis.KillAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await app.PostAsync(new { to = "ada@example.test", body = "hi" })).Status);
    }

    [Theory]
    [InlineData("python")]
    [InlineData("ruby")]
    [InlineData("nodejs")]
    public async Task The_app_says_when_a_message_has_not_ended_in_time(string language)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var app = await ExampleProcess.StartAppAsync(language, redis);

        var (status, answer) = await app.PostAsync(new { to = "ada@example.test", body = "hi" });

        Assert.Equal((HttpStatusCode.GatewayTimeout, "unknown"), (status, Ending(answer)));
    }

    [Theory]
    [InlineData("python")]
    [InlineData("ruby")]
    [InlineData("nodejs")]
    public async Task The_worker_answers_each_message_once_and_acknowledges_everything(string language)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync("prosody"));
        await using var bridge = new InProcessBridge(trial.Settings(ConfirmGrade.Accepted));
        await AddAsync(trial, "stamp-1", "one");
        // Read by a life of the worker that ended before it had acknowledged.
        await trial.App.StreamCreateConsumerGroupAsync(Inbound, "app", "0");
        Assert.Single(await trial.App.StreamReadGroupAsync(Inbound, "app", "worker-1", ">"));

        await using var worker = await ExampleProcess.StartWorkerAsync(language, trial.Redis);
        await AddAsync(trial, "stamp-1", "one");
        await AddAsync(trial, "stamp-2", "an error", type: "error");
        await AddAsync(trial, "stamp-3", null, kind: "presence");
        await AddAsync(trial, "stamp-4", "two, \u00fc\u20ac");
        await AddAsync(trial, "stamp-4", "two, \u00fc\u20ac");

        await trial.UserReceived.FirstAsync(stanza => stanza.Body == "You said: two, \u00fc\u20ac", Soon);
        await Eventually.TrueAsync(
            async () => (await trial.App.StreamGroupInfoAsync(Inbound)).Single() is { PendingMessageCount: 0 } group
                && group.LastDeliveredId == (await trial.App.StreamInfoAsync(Inbound)).LastGeneratedId,
            Soon,
            "everything is acknowledged",
            () => worker.Process.Output);
        // Behind everything that the worker has pushed.
        await trial.PushPayloadAsync($$"""{"to":"{{trial.UserJid}}","body":"end"}""");
        await trial.UserReceived.FirstAsync(stanza => stanza.Body == "end", Soon);
        var received = trial.UserReceived.Snapshot().Where(stanza => stanza.Name == "message").ToList();
        Assert.Equal(["You said: one", "You said: two, \u00fc\u20ac", "end"], received.Select(stanza => stanza.Body));
        Assert.Equal("bot@" + trial.Domain, received[0].From);
        Assert.Contains(worker.Process.Lines, line => line.EndsWith(": one", StringComparison.Ordinal));
    }

    // As Bridge writes what it receives.
    private static async Task AddAsync(DeliveryTrial trial, string stamp, string? body, string kind = "message", string type = "chat")
    {
        var fields = new List<NameValueEntry>
        {
            new("kind", kind), new("type", type), new("id", "i-" + stamp), new("from", trial.UserJid), new("to", "bot@" + trial.Domain),
            new("at", 1769903999000), new("stamp", stamp), new("xml", $"<{kind}/>"),
        };
        if (body is not null)
            fields.Add(new("body", body));
        await trial.App.StreamAddAsync(Inbound, [.. fields]);
    }

    private static string Ending(JsonElement answer) => answer.GetProperty("ending").GetString()!;
}
