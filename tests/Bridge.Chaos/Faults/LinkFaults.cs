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

    private protected static IEnumerable<ProxyDirection> Directions(FaultProxy proxy, Ways ways)
    {
        if (ways != Ways.FromTarget)
            yield return proxy.Upstream;
        if (ways != Ways.ToTarget)
            yield return proxy.Downstream;
    }
}

/// <summary>Everything comes late, in order. No deadline of Bridge's is near.</summary>
internal sealed record Latency(FaultTarget Where, TimeSpan Delay, TimeSpan Jitter, TimeSpan Time)
    : LinkFault("latency", Where, Repeats.Nothing, Time)
{
    public override string Parameters =>
        FormattableString.Invariant($"{Delay.TotalMilliseconds:F0} ms and up to {Jitter.TotalMilliseconds:F0} ms more each way");

    public override Task StrikeAsync(Stage stage)
    {
        foreach (var direction in Directions(Proxy(stage), Ways.Both))
            direction.Latency(Delay, Jitter);
        return Task.CompletedTask;
    }

    public override Task HealAsync(Stage stage)
    {
        foreach (var direction in Directions(Proxy(stage), Ways.Both))
            direction.Latency(TimeSpan.Zero);
        return Task.CompletedTask;
    }
}

/// <summary>
/// A narrow link. What the proxy's own buffers hold is neither in the kernel's queue nor confirmed, so a deadline
/// may pass with good reason.
/// </summary>
internal sealed record Bandwidth(FaultTarget Where, int BytesPerSecond, TimeSpan Time)
    : LinkFault("bandwidth", Where, Where == FaultTarget.RedisLink ? Repeats.Unconfirmed : Repeats.Held, Time)
{
    public override string Parameters => FormattableString.Invariant($"{BytesPerSecond / 1_000} kB/s");

    public override Task StrikeAsync(Stage stage)
    {
        foreach (var direction in Directions(Proxy(stage), Ways.Both))
            direction.BytesPerSecond = BytesPerSecond;
        return Task.CompletedTask;
    }

    public override Task HealAsync(Stage stage)
    {
        foreach (var direction in Directions(Proxy(stage), Ways.Both))
            direction.BytesPerSecond = null;
        return Task.CompletedTask;
    }
}

/// <summary>Pieces of so many bytes: everything that reads must put them together.</summary>
internal sealed record Slices(FaultTarget Where, int Size, TimeSpan Time)
    : LinkFault("slices", Where, Where == FaultTarget.RedisLink ? Repeats.Unconfirmed : Repeats.Held, Time)
{
    public override string Parameters => FormattableString.Invariant($"{Size} bytes");

    public override Task StrikeAsync(Stage stage)
    {
        foreach (var direction in Directions(Proxy(stage), Ways.Both))
            direction.Slicer = Size;
        return Task.CompletedTask;
    }

    public override Task HealAsync(Stage stage)
    {
        foreach (var direction in Directions(Proxy(stage), Ways.Both))
            direction.Slicer = null;
        return Task.CompletedTask;
    }
}

/// <summary>A partition: nothing passes, nothing is lost, and behind it TCP goes on where it was.</summary>
internal sealed record Partition(FaultTarget Where, Ways Ways, TimeSpan Time)
    : LinkFault("partition", Where, Where == FaultTarget.RedisLink ? Repeats.Unconfirmed : Repeats.Held, Time)
{
    public override string Parameters => Ways.ToString();

    public override Task StrikeAsync(Stage stage)
    {
        foreach (var direction in Directions(Proxy(stage), Ways))
            direction.Stalls = true;
        return Task.CompletedTask;
    }

    public override Task HealAsync(Stage stage)
    {
        foreach (var direction in Directions(Proxy(stage), Ways))
            direction.Stalls = false;
        return Task.CompletedTask;
    }
}

/// <summary>
/// What is sent is swallowed. TCP never goes on behind a gap, so the connections that were swallowed into are
/// reset before anything flows again.
/// </summary>
internal sealed record BlackHole(FaultTarget Where, Ways Ways, TimeSpan Time)
    : LinkFault("black hole", Where, Where == FaultTarget.RedisLink ? Repeats.Unconfirmed : Repeats.Held, Time)
{
    public override string Parameters => Ways.ToString();

    public override Task StrikeAsync(Stage stage)
    {
        foreach (var direction in Directions(Proxy(stage), Ways))
            direction.Swallows = true;
        return Task.CompletedTask;
    }

    public override Task HealAsync(Stage stage)
    {
        Proxy(stage).ResetPeer();
        foreach (var direction in Directions(Proxy(stage), Ways))
            direction.Swallows = false;
        return Task.CompletedTask;
    }
}

/// <summary>All connections end once: at once, or at an exact byte, in the middle of a command or a stanza.</summary>
/// <param name="Where">The link.</param>
/// <param name="Ending">How.</param>
/// <param name="Bytes">Behind so many more bytes to the target; 0: at once.</param>
/// <param name="Time">How long to wait for that byte.</param>
internal sealed record Break(FaultTarget Where, ProxyEnding Ending, int Bytes, TimeSpan Time)
    : LinkFault(Ending == ProxyEnding.Reset ? "reset" : "close", Where, Where == FaultTarget.RedisLink ? Repeats.Nothing : Repeats.Unconfirmed, Time)
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

    public override Task HealAsync(Stage stage)
    {
        Proxy(stage).Upstream.Disarm();
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
