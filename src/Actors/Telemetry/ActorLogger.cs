using Akka.Actor;
using Akka.Event;
using Microsoft.Extensions.Logging;
using AkkaLevel = Akka.Event.LogLevel;
using LogLevel = Microsoft.Extensions.Logging.LogLevel;

namespace Bridge.Telemetry;

/// <summary>
/// Lets an actor tell source-generated events through Akka's own log, which knows the actor's path and keeps the order: what an
/// event holds arrives at the process's logger as it is.
/// </summary>
/// <param name="log">The actor's log.</param>
public sealed class ActorLogger(ILoggingAdapter log) : ILogger
{
    /// <summary>The log of an actor.</summary>
    public static ILogger Of(IActorContext context) => new ActorLogger(context.GetLogger());

    /// <inheritdoc />
    public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None && log.IsEnabled(Level(logLevel));

    /// <inheritdoc />
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        ArgumentNullException.ThrowIfNull(formatter);
        if (IsEnabled(logLevel))
            log.Log(Level(logLevel), exception, new ActorEvent(eventId, state as IReadOnlyList<KeyValuePair<string, object?>> ?? [], formatter(state, exception)));
    }

    /// <summary>None: a scope of one actor's message would leak into the next one's.</summary>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    private static AkkaLevel Level(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => AkkaLevel.DebugLevel,
        LogLevel.Information => AkkaLevel.InfoLevel,
        LogLevel.Warning => AkkaLevel.WarningLevel,
        _ => AkkaLevel.ErrorLevel,
    };
}

/// <summary>One event that an actor told.</summary>
public sealed class ActorEvent : LogMessage
{
    private readonly string _text;

    internal ActorEvent(EventId id, IReadOnlyList<KeyValuePair<string, object?>> values, string text)
        : base(DefaultLogMessageFormatter.Instance, values.Count > 0 ? values[^1].Value as string ?? text : text)
    {
        Id = id;
        Values = values;
        _text = text;
    }

    /// <summary>Number and name of the event, which never change.</summary>
    public EventId Id { get; }

    /// <summary>Its named values; the last one is the template.</summary>
    public IReadOnlyList<KeyValuePair<string, object?>> Values { get; }

    /// <inheritdoc />
    public override string Unformatted() => Format;

    /// <inheritdoc />
    public override IEnumerable<object> Parameters() => Values.SkipLast(1).Select(value => value.Value!);

    /// <summary>The event as a sentence.</summary>
    public override string ToString() => _text;
}
