using Bridge.Chaos.Running;
using Bridge.TestKit;

namespace Bridge.Chaos.Faults;

/// <summary>Which directions of a link are struck.</summary>
internal enum Ways
{
    Both,
    ToTarget,
    FromTarget,
}

/// <summary>A fault of one of the two proxies.</summary>
internal abstract record LinkFault(string Verb, FaultTarget Link, Repeats Explained, TimeSpan Lasts)
    : Fault(On(Link, Verb), Link, Explained, Lasts)
{
    private protected FaultProxy Proxy(Stage stage) => Link == FaultTarget.RedisLink ? stage.RedisProxy : stage.XmppProxy;
}

/// <summary>A fault of the link's directions, the same on each that is struck.</summary>
internal abstract record DirectionFault(string Verb, FaultTarget Link, Ways Ways, Repeats Explained, TimeSpan Lasts)
    : LinkFault(Verb, Link, Explained, Lasts)
{
    public override Task StrikeAsync(Stage stage)
    {
        foreach (var direction in Directions(stage))
            Strike(direction);
        return Task.CompletedTask;
    }

    public override Task HealAsync(Stage stage)
    {
        foreach (var direction in Directions(stage))
            Heal(direction);
        return Task.CompletedTask;
    }

    private protected abstract void Strike(ProxyDirection direction);

    private protected abstract void Heal(ProxyDirection direction);

    private IEnumerable<ProxyDirection> Directions(Stage stage)
    {
        if (Ways != Ways.FromTarget)
            yield return Proxy(stage).Upstream;
        if (Ways != Ways.ToTarget)
            yield return Proxy(stage).Downstream;
    }

    // A deadline may pass with good reason: what the proxy's own buffers hold is neither in the kernel's queue nor confirmed.
    private protected static Repeats Late(FaultTarget link) => link == FaultTarget.RedisLink ? Repeats.Unconfirmed : Repeats.Held;
}

/// <summary>Everything comes late, in order. No deadline of Bridge's is near.</summary>
internal sealed record Latency(FaultTarget Link, TimeSpan Delay, TimeSpan Jitter, TimeSpan Lasts)
    : DirectionFault("latency", Link, Ways.Both, Repeats.Nothing, Lasts)
{
    public override string Parameters =>
        FormattableString.Invariant($"{Delay.TotalMilliseconds:F0} ms and up to {Jitter.TotalMilliseconds:F0} ms more each way");

    private protected override void Strike(ProxyDirection direction) => direction.Latency(Delay, Jitter);

    private protected override void Heal(ProxyDirection direction) => direction.Latency(TimeSpan.Zero);
}

/// <summary>A narrow link.</summary>
internal sealed record Bandwidth(FaultTarget Link, int BytesPerSecond, TimeSpan Lasts)
    : DirectionFault("bandwidth", Link, Ways.Both, Late(Link), Lasts)
{
    public override string Parameters => FormattableString.Invariant($"{BytesPerSecond / 1_000} kB/s");

    private protected override void Strike(ProxyDirection direction) => direction.BytesPerSecond = BytesPerSecond;

    private protected override void Heal(ProxyDirection direction) => direction.BytesPerSecond = null;
}

/// <summary>Pieces of so many bytes: everything that reads must put them together.</summary>
internal sealed record Slices(FaultTarget Link, int Size, TimeSpan Lasts)
    : DirectionFault("slices", Link, Ways.Both, Late(Link), Lasts)
{
    public override string Parameters => FormattableString.Invariant($"{Size} bytes");

    private protected override void Strike(ProxyDirection direction) => direction.Slicer = Size;

    private protected override void Heal(ProxyDirection direction) => direction.Slicer = null;
}

/// <summary>A partition: nothing passes, nothing is lost, and behind it TCP goes on where it was.</summary>
internal sealed record Partition(FaultTarget Link, Ways Struck, TimeSpan Lasts)
    : DirectionFault("partition", Link, Struck, Late(Link), Lasts)
{
    public override string Parameters => Struck.ToString();

    private protected override void Strike(ProxyDirection direction) => direction.Stalls = true;

    private protected override void Heal(ProxyDirection direction) => direction.Stalls = false;
}

/// <summary>
/// What is sent is swallowed. TCP never goes on behind a gap, so the connections that were swallowed into are
/// reset before anything flows again.
/// </summary>
internal sealed record BlackHole(FaultTarget Link, Ways Struck, TimeSpan Lasts)
    : DirectionFault("black hole", Link, Struck, Late(Link), Lasts)
{
    public override string Parameters => Struck.ToString();

    public override Task HealAsync(Stage stage)
    {
        Proxy(stage).ResetPeer();
        return base.HealAsync(stage);
    }

    private protected override void Strike(ProxyDirection direction) => direction.Swallows = true;

    private protected override void Heal(ProxyDirection direction) => direction.Swallows = false;
}

/// <summary>All connections end once, at a moment that may not come.</summary>
internal abstract record BreakFault(string Verb, FaultTarget Link, TimeSpan Lasts)
    : LinkFault(Verb, Link, Link == FaultTarget.RedisLink ? Repeats.Nothing : Repeats.Unconfirmed, Lasts)
{
    public override Task HealAsync(Stage stage)
    {
        Proxy(stage).Upstream.Disarm();
        return Task.CompletedTask;
    }
}

/// <summary>All connections end once: at once, or at an exact byte, in the middle of a command or a stanza.</summary>
/// <param name="Where">The link.</param>
/// <param name="Ending">How.</param>
/// <param name="Bytes">Behind so many more bytes to the target; 0: at once.</param>
/// <param name="Time">How long to wait for that byte.</param>
internal sealed record Break(FaultTarget Where, ProxyEnding Ending, int Bytes, TimeSpan Time)
    : BreakFault(Ending == ProxyEnding.Reset ? "reset" : "close", Where, Time)
{
    public override string Parameters => Bytes == 0 ? "" : FormattableString.Invariant($"behind {Bytes} bytes");

    public override Task StrikeAsync(Stage stage)
    {
        var proxy = Proxy(stage);
        if (Bytes == 0)
            proxy.End(Ending);
        else
            proxy.Upstream.At(proxy.Upstream.Bytes + Bytes, () => proxy.End(Ending));
        return Task.CompletedTask;
    }
}

/// <summary>All connections end once, right behind the n-th message or the n-th script from now on.</summary>
internal sealed record BreakBehind(FaultTarget Where, ProxyEnding Ending, int Nth, TimeSpan Time)
    : BreakFault("break behind the n-th", Where, Time)
{
    public override string Parameters => FormattableString.Invariant($"{Ending} behind {(Where == FaultTarget.RedisLink ? "script" : "message")} {Nth}");

    public override Task StrikeAsync(Stage stage)
    {
        var proxy = Proxy(stage);
        proxy.Upstream.AtOccurrence(Where == FaultTarget.RedisLink ? "EVALSHA"u8 : "</message>"u8, Nth, () => proxy.End(Ending));
        return Task.CompletedTask;
    }
}

/// <summary>No connection lives for more than so many bytes.</summary>
internal sealed record LimitedData(FaultTarget Where, int Bytes, ProxyEnding Ending, TimeSpan Time)
    : LinkFault("limited data", Where, Where == FaultTarget.RedisLink ? Repeats.Unconfirmed : Repeats.Held, Time)
{
    public override string Parameters => FormattableString.Invariant($"{Ending} behind {Bytes} bytes");

    public override Task StrikeAsync(Stage stage)
    {
        Proxy(stage).Upstream.LimitData(Bytes, Ending);
        return Task.CompletedTask;
    }

    public override Task HealAsync(Stage stage)
    {
        Proxy(stage).Upstream.LimitData(null);
        return Task.CompletedTask;
    }
}

/// <summary>Connections are reset, new ones refused.</summary>
internal sealed record Down(FaultTarget Where, TimeSpan Time) : LinkFault("down", Where, Repeats.Unconfirmed, Time)
{
    public override string Parameters => "";

    public override Task StrikeAsync(Stage stage)
    {
        Proxy(stage).Down();
        Proxy(stage).ResetPeer();
        return Task.CompletedTask;
    }

    public override Task HealAsync(Stage stage)
    {
        Proxy(stage).Up();
        return Task.CompletedTask;
    }
}

/// <summary>The end of a connection comes late: Redis kills its clients, or the owner of the queue ends in order.</summary>
internal sealed record SlowClose(FaultTarget Where, TimeSpan Delay, TimeSpan Time)
    : LinkFault("slow close", Where, Repeats.Unconfirmed, Time)
{
    public override string Parameters => FormattableString.Invariant($"{Delay.TotalSeconds:F1} s");

    public override async Task StrikeAsync(Stage stage)
    {
        Proxy(stage).SlowClose = Delay;
        if (Where == FaultTarget.RedisLink)
            await stage.AdministerAsync("CLIENT", "KILL", "TYPE", "normal");
        else
            await (await stage.ChosenAsync(owner: true)).Process.StopAsync(TimeSpan.FromSeconds(20));
    }

    public override Task HealAsync(Stage stage)
    {
        Proxy(stage).SlowClose = TimeSpan.Zero;
        stage.StartBridges();
        return Task.CompletedTask;
    }
}
