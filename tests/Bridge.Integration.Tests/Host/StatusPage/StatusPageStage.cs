using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Host.StatusPage;

/// <summary>The real program between a Redis and a scripted server, and who asks its HTTP side.</summary>
internal sealed class StatusPageStage : IAsyncDisposable
{
    /// <summary>The component's secret.</summary>
    public const string Secret = "correct-horse";

    /// <summary>What messages say, and no answer may.</summary>
    public const string Words = "words-of-a-message";

    private ConnectionMultiplexer _app = null!;

    private StatusPageStage()
    {
    }

    /// <summary>The program.</summary>
    public BridgeProcess Bridge { get; private set; } = null!;

    /// <summary>The server.</summary>
    public ScriptedXmppServer Server { get; } = new();

    /// <summary>The link to it.</summary>
    public FaultProxy Link { get; private set; } = null!;

    /// <summary>What the app is connected to.</summary>
    public IDatabase Redis => _app.GetDatabase();

    /// <summary>Asks the program; follows nothing and keeps no cookie.</summary>
    public HttpClient Http { get; private set; } = null!;

    /// <summary>What everything is kept in.</summary>
    public RedisServer RedisServer { get; private set; } = null!;

    private IReadOnlyDictionary<string, string?> Environment { get; set; } = null!;

    /// <summary>Starts all, and waits until the bridge is ready.</summary>
    public static async Task<StatusPageStage> StartAsync(string configuration = "", params (string Name, string? Value)[] environment)
    {
        var stage = new StatusPageStage();
        stage.RedisServer = await RedisServer.StartAsync();
        stage._app = await ConnectionMultiplexer.ConnectAsync(stage.RedisServer.ConnectionString);
        stage.Link = new FaultProxy(stage.Server.Port);
        stage.Link.Up();
        var variables = new Dictionary<string, string?>
        {
            ["BRIDGE_REDIS"] = stage.RedisServer.ConnectionString,
            ["BRIDGE_XMPP"] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{stage.Link.Port}"),
            ["BRIDGE_DOMAIN"] = stage.Server.Options.Component,
            ["BRIDGE_SECRET"] = Secret,
        };
        foreach (var (name, value) in environment)
            variables[name] = value;
        stage.Environment = variables;
        stage.Bridge = new BridgeProcess(new BridgeProcessOptions { Environment = variables, Configuration = configuration });
        stage.Http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = stage.Bridge.Http, Timeout = TimeSpan.FromSeconds(10) };
        stage.Bridge.Start();
        await stage.Bridge.ReadyAsync(TimeSpan.FromSeconds(20));
        return stage;
    }

    /// <summary>Starts another node of the same bridge, which differs in this from the first.</summary>
    public async Task<BridgeProcess> StartAnotherAsync(params (string Name, string? Value)[] environment)
    {
        var variables = new Dictionary<string, string?>(Environment);
        foreach (var (name, value) in environment)
            variables[name] = value;
        var node = new BridgeProcess(new BridgeProcessOptions { Environment = variables });
        node.Start();
        await node.ReadyAsync(TimeSpan.FromSeconds(20));
        return node;
    }

    /// <summary>Pushes messages.</summary>
    public Task PushAsync(int count) => Redis.ListRightPushAsync(
        "xmpp:outbound", [.. Enumerable.Range(0, count).Select(number => (RedisValue)$$"""{"to":"ada@example.test","body":"{{Words}} {{number}}"}""")]);

    /// <summary>Pushes what is dead-lettered, and waits until it is.</summary>
    /// <returns>Ids of all dead letters, oldest first.</returns>
    public Task<string[]> BuryAsync(int count) => BuryAsync([.. Enumerable.Range(0, count).Select(number => $"{Words} {number}")]);

    /// <inheritdoc cref="BuryAsync(int)"/>
    public async Task<string[]> BuryAsync(params string[] payloads)
    {
        var there = await Redis.StreamLengthAsync("{xmpp:outbound}:dead");
        await Redis.ListRightPushAsync("xmpp:outbound", [.. payloads.Select(payload => (RedisValue)payload)]);
        await Eventually.TrueAsync(
            async () => await Redis.StreamLengthAsync("{xmpp:outbound}:dead") == there + payloads.Length, TimeSpan.FromSeconds(10), "all are dead-lettered");
        return [.. (await Redis.StreamRangeAsync("{xmpp:outbound}:dead")).Select(entry => (string)entry.Id!)];
    }

    /// <summary>Asks, and gives the status and the whole answer.</summary>
    public async Task<(HttpStatusCode Status, string Body)> AskAsync(string path, params (string Name, string Value)[] headers)
    {
        using var answer = await SendAsync(HttpMethod.Get, path, null, headers);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Asks for JSON.</summary>
    public async Task<JsonElement> JsonAsync(string path, params (string Name, string Value)[] headers)
    {
        var (status, body) = await AskAsync(path, headers);
        Assert.True(status == HttpStatusCode.OK, $"{path}: {status} {body}");
        using var document = JsonDocument.Parse(body);
        return document.RootElement.Clone();
    }

    /// <summary>Posts JSON, or what the headers call it.</summary>
    public async Task<(HttpStatusCode Status, string Body)> PostAsync(string path, string json, params (string Name, string Value)[] headers)
    {
        var type = headers.FirstOrDefault(header => header.Name == "Content-Type").Value ?? "application/json";
        using var content = new StringContent(json, Encoding.UTF8, type);
        using var answer = await SendAsync(HttpMethod.Post, path, content, [.. headers.Where(header => header.Name != "Content-Type")]);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Sends a request.</summary>
    public Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? content, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative)) { Content = content };
        foreach (var (name, value) in headers)
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        return Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await Bridge.DisposeAsync();
        await Link.DisposeAsync();
        await Server.DisposeAsync();
        await _app.DisposeAsync();
        await RedisServer.DisposeAsync();
    }
}
