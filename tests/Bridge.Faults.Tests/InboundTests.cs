using System.Collections.Concurrent;
using System.Globalization;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>Redis dies, or the links to it break, while users send to the app.</summary>
public sealed class InboundTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const int Count = 2_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    [Theory]
    [InlineData("prosody", true)]
    [InlineData("ejabberd", true)]
    [InlineData("prosody", false)]
    [InlineData("ejabberd", false)]
    public async Task Each_message_reaches_the_app_once_and_in_order_or_its_sender_is_told(string name, bool redisDies)
    {
        var server = await servers.GetAsync(name);
        await using var trial = await DeliveryTrial.StartAsync(server, new RedisOptions { AppendOnly = true, AppendFsync = "always" });
        await using var proxy = new FaultProxy(trial.Redis.Port);
        await using var user = await XmppUser.LoginAsync(server, "grace", new XmppUserOptions { Resource = "sender" });
        var refused = new ConcurrentDictionary<int, bool>();
        user.Received.Observe(stanza =>
        {
            if (stanza.Name == "message" && stanza.Type == "error" && int.TryParse(stanza.Id, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                refused[number] = true;
        });
        var settings = trial.Settings(ConfirmGrade.Held, redis: $"127.0.0.1:{proxy.Port}");
        // Few find room, so that some senders are told.
        await using var bridge = new InProcessBridge(settings with { Inbound = new InboundSettings { MaxEntries = 1_000_000, Buffer = 200 } });
        await bridge.EstablishedAsync();

        for (var i = 0; i < Count; i++)
        {
            await user.SendAsync(string.Create(
                CultureInfo.InvariantCulture, $"<message to='box@{trial.Domain}' type='chat' id='{i}'><body>{i}</body></message>"));
            if (i % 100 == 99)
                await user.PingServerAsync();
            if (i % 500 == 250)
                await StrikeAsync(trial, proxy, redisDies);
        }

        List<int> came = [];
        await Eventually.TrueAsync(
            async () =>
            {
                came = [.. (await trial.App.StreamRangeAsync(trial.Keys.Inbound)).Where(entry => entry["type"] == "chat").Select(entry => (int)entry["id"])];
                return came.Distinct().Count() + refused.Keys.Except(came).Count() == Count;
            },
            Patience,
            "each is in the stream, or refused",
            () => $"{came.Count} came, {refused.Count} refused");

        Assert.Equal(came.Distinct().Order(), came);
        Assert.Empty(came.Intersect(refused.Keys));
        Assert.NotEmpty(came);
    }

    private static async Task StrikeAsync(DeliveryTrial trial, FaultProxy proxy, bool redisDies)
    {
        if (!redisDies)
        {
            proxy.ResetPeer();
            return;
        }

        await trial.Redis.KillAsync();
        await trial.Redis.RestartAsync();
    }
}
