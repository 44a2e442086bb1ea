using System.Globalization;
using Bridge.Integration.Tests.Host;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.RedisDeployments;

/// <summary>TLS to Redis, with an authority of the test's own.</summary>
public sealed class RedisTlsTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task Messages_arrive_and_are_told_over_tls(QueueKind kind)
    {
        var redis = await TlsRedis.StartAsync("127.0.0.1");
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync("prosody"), redis.Server, redis.ConnectionString, kind);
        using var _ = redis;
        await trial.PushAsync(2_000, withLarge: true);
        var settings = trial.Settings(ConfirmGrade.Accepted);
        await using var bridge = new InProcessBridge(settings with { Queue = settings.Queue with { RedisCaFile = redis.Trusted } });

        var report = await trial.EndAsync(Soon, bridge);

        Assert.True(report.IsClean, report.ToString());
        Assert.Null(bridge.Snapshot.QueueFault);
    }

    public static TheoryData<string, string, string, bool, string> Refused => new()
    {
        // name of the row, what the certificate is for, what the connection string adds, whether its authority is trusted, the words
        { "an authority that is not trusted", "127.0.0.1", "", false, "signed by CN=ours, which is none of the authorities in redis-ca-file" },
        { "a name that is not connected to", "redis.example", "", true, "for redis.example, not for 127.0.0.1" },
        { "another name than sslHost", "127.0.0.1", ",sslHost=redis.example", true, "for 127.0.0.1, not for redis.example" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task A_certificate_that_does_not_fit_is_refused_in_clear_words(string row, string name, string more, bool trusted, string words)
    {
        _ = row;
        using var redis = await TlsRedis.StartAsync(name);
        await using var owned = redis.Server;
        await using var server = new ScriptedXmppServer();
        var caFile = trusted ? redis.Trusted : redis.Other;

        var (code, facts) = await CheckAsync(redis, server.Port, more, caFile);

        Assert.Equal(1, code);
        Assert.Contains("FAIL Redis: No connection to Redis: The certificate of Redis is " + words, facts, StringComparison.Ordinal);
        Assert.Contains("-> name the certificate's authority in redis-ca-file", facts, StringComparison.Ordinal);
        var settings = InProcessBridge.Settings(redis.ConnectionString + more, [server.Port]);
        await using var bridge = new InProcessBridge(settings with { Queue = settings.Queue with { RedisCaFile = caFile } });
        await Eventually.TrueAsync(
            () => bridge.Board.Snapshots.Any(snapshot => snapshot.QueueFault?.Contains(words, StringComparison.Ordinal) == true),
            Soon,
            "the bridge tells why",
            () => bridge.Board.Snapshots.SingleOrDefault()?.ToString() ?? "");
    }

    [Fact]
    public async Task A_name_that_is_given_in_sslHost_is_enough_and_an_authority_that_nobody_names_is_not()
    {
        using var redis = await TlsRedis.StartAsync("redis.example");
        await using var owned = redis.Server;
        var server = await servers.GetAsync("prosody");

        var (named, facts) = await CheckAsync(redis, server.ComponentPort, ",sslHost=redis.example", redis.Trusted);
        var (_, unnamed) = await CheckAsync(redis, server.ComponentPort, ",sslHost=redis.example", null);

        Assert.True(named == 0, facts);
        Assert.Contains("ok   Redis answers", facts, StringComparison.Ordinal);
        Assert.Contains("none of the authorities of the system", unnamed, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_that_has_run_out_is_told_with_its_dates()
    {
        using var redis = await TlsRedis.StartAsync("127.0.0.1", DateTimeOffset.UtcNow.AddHours(-1));
        await using var owned = redis.Server;
        await using var server = new ScriptedXmppServer();

        var (_, facts) = await CheckAsync(redis, server.Port, "", redis.Trusted);

        Assert.Contains("The certificate of Redis is valid from ", facts, StringComparison.Ordinal);
        Assert.Contains(", not now.", facts, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output)> CheckAsync(TlsRedis redis, int xmppPort, string more, string? caFile)
    {
        var file = Path.Combine(redis.Folder, Guid.NewGuid().ToString("N") + ".conf");
        await File.WriteAllTextAsync(file, caFile is null ? "" : $"bridge.defaults.redis-ca-file = \"{caFile}\"");
        return await BridgeCommand.RunAsync(
            ["check", "--config", file],
            ("BRIDGE_REDIS", redis.ConnectionString + more),
            ("BRIDGE_XMPP", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{xmppPort}")),
            ("BRIDGE_DOMAIN", "bridge.example.test"),
            ("BRIDGE_SECRET", "correct-horse"));
    }

    /// <summary>A Redis with TLS beside the plain port, and two authorities, of which one has signed its certificate.</summary>
    private sealed class TlsRedis : IDisposable
    {
        private readonly CertificateAuthority _ours;
        private readonly CertificateAuthority _others;

        private TlsRedis(string folder)
        {
            Folder = folder;
            _ours = new CertificateAuthority(folder, "ours");
            _others = new CertificateAuthority(folder, "others");
        }

        public string Folder { get; }

        public RedisServer Server { get; private set; } = null!;

        public string ConnectionString { get; private set; } = "";

        public string Trusted => _ours.CertificateFile;

        public string Other => _others.CertificateFile;

        public static async Task<TlsRedis> StartAsync(string name, DateTimeOffset? until = null)
        {
            var redis = new TlsRedis(Directory.CreateTempSubdirectory("bridge-tls-").FullName);
            var (certificate, key) = redis._ours.Issue(name, until);
            var port = FreePorts.Next().ToString(CultureInfo.InvariantCulture);
            redis.Server = await RedisServer.StartAsync(new RedisOptions
            {
                AppendOnly = true,
                Arguments =
                [
                    "--tls-port", port, "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", redis.Trusted, "--tls-auth-clients", "no",
                ],
            });
            redis.ConnectionString = $"127.0.0.1:{port},ssl=true";
            return redis;
        }

        public void Dispose()
        {
            _ours.Dispose();
            _others.Dispose();
            Directory.Delete(Folder, recursive: true);
        }
    }
}
