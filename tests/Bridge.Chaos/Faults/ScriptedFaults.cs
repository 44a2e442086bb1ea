using Bridge.Chaos.Running;
using Bridge.TestKit;

namespace Bridge.Chaos.Faults;

/// <summary>The server ends the present stream, or lets it hang.</summary>
internal sealed record StreamEnded(ServerReaction Reaction, string Condition, TimeSpan Time)
    : Fault("stream ended by the server", FaultTarget.Server, Repeats.Unconfirmed, Time)
{
    public override string Parameters => Reaction == ServerReaction.StreamError ? Condition : Reaction.ToString();

    public override Task StrikeAsync(Stage stage)
    {
        if (stage.Scripted.Connections is [.., var last])
            last.React(Reaction, Condition);
        return Task.CompletedTask;
    }

    public override Task HealAsync(Stage stage) => Task.CompletedTask;
}

/// <summary>The n-th stanza from now on is not taken: the stream ends in its place.</summary>
internal sealed record StanzaRefused(int Stanzas, ServerReaction Reaction, TimeSpan Time)
    : Fault("n-th stanza refused", FaultTarget.Server, Repeats.Held, Time)
{
    public override string Parameters => FormattableString.Invariant($"{Reaction} in place of number {Stanzas}");

    public override Task StrikeAsync(Stage stage)
    {
        if (stage.Scripted.Connections is [.., var last])
        {
            last.Script = Stage.GoodScript with
            {
                Faults = [ServerFault.AfterStanzas(last.Taken + Stanzas, Reaction, "internal-server-error")],
            };
        }

        return Task.CompletedTask;
    }

    public override Task HealAsync(Stage stage)
    {
        if (stage.Scripted.Connections is [.., var last])
            last.Script = Stage.GoodScript;
        return Task.CompletedTask;
    }
}

/// <summary>For a while, barriers come back in another way than they should: never, late, twice, or as another.</summary>
internal sealed record BarriersAstray(BarrierAnswer Answer, TimeSpan Delay, TimeSpan Time)
    : Fault("barriers astray", FaultTarget.Server, Repeats.Held, Time)
{
    public override string Parameters => Delay > TimeSpan.Zero ? FormattableString.Invariant($"{Delay.TotalSeconds:F1} s late") : Answer.ToString();

    public override Task StrikeAsync(Stage stage)
    {
        stage.Scripted.Script = Stage.GoodScript with { Barriers = Answer, BarrierDelay = Delay };
        return Task.CompletedTask;
    }

    public override Task HealAsync(Stage stage)
    {
        stage.Scripted.Script = Stage.GoodScript;
        return Task.CompletedTask;
    }
}

/// <summary>Stanza errors that belong to nothing, as many as the link takes.</summary>
internal sealed record ErrorFlood(int Errors, TimeSpan Time) : Fault("error flood", FaultTarget.Server, Repeats.Nothing, Time)
{
    public override string Parameters => FormattableString.Invariant($"{Errors} errors");

    public override Task StrikeAsync(Stage stage)
    {
        if (stage.Scripted.Connections is [.., var last])
            last.SendErrors(Errors);
        return Task.CompletedTask;
    }

    public override Task HealAsync(Stage stage) => Task.CompletedTask;
}

/// <summary>The server reads so many bytes a second.</summary>
internal sealed record SlowReader(int BytesPerSecond, TimeSpan Time)
    : Fault("slow reader", FaultTarget.Server, Repeats.Held, Time)
{
    public override string Parameters => FormattableString.Invariant($"{BytesPerSecond / 1_000} kB/s");

    public override Task StrikeAsync(Stage stage)
    {
        stage.Scripted.Script = Stage.GoodScript with { ReadBytesPerSecond = BytesPerSecond };
        return Task.CompletedTask;
    }

    public override Task HealAsync(Stage stage)
    {
        stage.Scripted.Script = Stage.GoodScript;
        return Task.CompletedTask;
    }
}

/// <summary>The stream breaks, and the next ones do not get past the handshake.</summary>
internal sealed record HandshakeBroken(ServerMoment Moment, ServerReaction Reaction, TimeSpan Time)
    : Fault("handshake broken", FaultTarget.Server, Repeats.Held, Time)
{
    public override string Parameters => $"{Reaction} {Moment}";

    public override Task StrikeAsync(Stage stage)
    {
        stage.Scripted.Script = Stage.GoodScript with { Faults = [ServerFault.At(Moment, Reaction, "internal-server-error")] };
        if (stage.Scripted.Connections is [.., var last])
            last.React(ServerReaction.Reset);
        return Task.CompletedTask;
    }

    public override Task HealAsync(Stage stage)
    {
        stage.Scripted.Script = Stage.GoodScript;
        return Task.CompletedTask;
    }
}
