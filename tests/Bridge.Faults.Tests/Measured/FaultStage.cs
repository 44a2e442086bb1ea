using System.Globalization;
using Bridge.Settings;
using Bridge.Telemetry;
using Bridge.TestKit;

namespace Bridge.Faults.Tests.Measured;

/// <summary>
/// What one fault strikes: a trial with a flood in its queue, proxies where links are struck, and a bridge with the
/// shipped defaults; where the owner is struck, the real program, beside a bridge that stands by.
/// </summary>
internal sealed class FaultStage : IAsyncDisposable
{
    private FaultProxy? _xmppProxy;
    private FaultProxy? _redisProxy;
    private BridgeProcess? _owner;
    private InProcessBridge? _bridge;

    private FaultStage(IXmppServer server, DeliveryTrial trial) => (Server, Trial, Meter) = (server, trial, new ArrivalMeter(trial.Ledger));

    public IXmppServer Server { get; }

    public DeliveryTrial Trial { get; }

    /// <summary>Looks from the start on.</summary>
    public ArrivalMeter Meter { get; }

    public FaultProxy XmppProxy => _xmppProxy ?? throw new InvalidOperationException("This fault strikes no link.");

    public FaultProxy RedisProxy => _redisProxy ?? throw new InvalidOperationException("This fault strikes no link.");

    /// <summary>The owner that is struck.</summary>
    public BridgeProcess Owner => _owner ?? throw new InvalidOperationException("This fault strikes no owner.");

    /// <summary>The bridge that is looked at: the only one, or the standby.</summary>
    public InProcessBridge Bridge => _bridge ?? throw new InvalidOperationException("Not started.");

    /// <summary>Pushes the flood and starts everything.</summary>
    public static async Task<FaultStage> StartAsync(IXmppServer server, MeasuredFault fault, int count)
    {
        // At a pace at which the recipients, who share the processors, keep up: what piles up inside a server because
        // a recipient reads too slowly is confirmed and held, and dies with the server (docs/reliability.md).
        var trial = await DeliveryTrial.StartAsync(
            server, new RedisOptions { AppendOnly = true, AppendFsync = "everysec" }, bytesPerSecond: DeliveryTrial.SlowFlood, outcomes: OutcomeMode.Failures);
        var stage = new FaultStage(server, trial);
        try
        {
            await trial.PushPlainAsync(count);
            await stage.StartAsync(fault);
            return stage;
        }
        catch
        {
            await stage.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_owner is not null)
            await _owner.DisposeAsync();
        if (_bridge is not null)
            await _bridge.DisposeAsync();
        if (_xmppProxy is not null)
            await _xmppProxy.DisposeAsync();
        if (_redisProxy is not null)
            await _redisProxy.DisposeAsync();
        await Meter.DisposeAsync();
        await Trial.DisposeAsync();
    }

    private async Task StartAsync(MeasuredFault fault)
    {
        if (fault.StrikesLinks)
            (_xmppProxy, _redisProxy) = (new FaultProxy(Trial.XmppPort), new FaultProxy(Trial.Redis.Port));
        if (fault.StrikesOwner)
        {
            _owner = Trial.Program(ConfirmGrade.Held, shipped: true);
            _owner.Start();
            await _owner.ReadyAsync(TimeSpan.FromSeconds(20));
        }

        var redis = _redisProxy is null ? null : string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_redisProxy.Port}");
        var settings = Trial.Settings(ConfirmGrade.Held, _xmppProxy?.Port, redis, shipped: true);
        _bridge = new InProcessBridge(settings with
        {
            Xmpp = settings.Xmpp with { ResumeDelay = fault.ResumeDelay },
        });
        if (fault.StrikesOwner)
        {
            await Eventually.TrueAsync(
                () => _bridge.Board.Snapshots.Any(s => s is { Role: BridgeRole.Standby, LeaseHolder: not null }), TimeSpan.FromSeconds(10), "the second stands by");
        }
        else
        {
            await _bridge.EstablishedAsync();
        }
    }
}
