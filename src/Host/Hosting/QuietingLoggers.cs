using System.Collections.Concurrent;

namespace Bridge.Host.Hosting;

/// <summary>
/// Writes events through another provider, of one kind not more than <see cref="Burst" /> in <see cref="Window" />; how many were
/// withheld is told when the window is over. A kind is an event of one source: an actor, or a part of the host. What is of level debug
/// passes always: who wants that wants all.
/// </summary>
internal sealed class QuietingLoggers : ILoggerProvider, ISupportExternalScope
{
    /// <summary>Events of one kind that are written in a window.</summary>
    public const int Burst = 10;

    private const int Kinds = 1_000;

    /// <summary>How long a window is.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);

    private readonly ILoggerProvider _inner;
    private readonly TimeProvider _time;
    private readonly long _startedAt;
    private readonly ITimer _timer;
    private readonly ILogger _own;
    private readonly ConcurrentDictionary<string, ILogger> _loggers = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private readonly RepeatLimiter<Kind> _limiter = new(Burst, Window, Kinds);

    /// <summary>Begins to count.</summary>
    public QuietingLoggers(ILoggerProvider inner, TimeProvider time)
    {
        _inner = inner;
        _time = time;
        _startedAt = time.GetTimestamp();
        _own = inner.CreateLogger("Bridge.Log");
        _timer = time.CreateTimer(_ => TellWithheld(), null, LookEvery, LookEvery);
    }

    private TimeSpan Now => _time.GetElapsedTime(_startedAt);

    /// <inheritdoc />
    public ILogger CreateLogger(string categoryName) =>
        _loggers.GetOrAdd(categoryName, static (name, self) => new Quieting(self, name, self._inner.CreateLogger(name)), this);

    /// <inheritdoc />
    public void SetScopeProvider(IExternalScopeProvider scopeProvider) => (_inner as ISupportExternalScope)?.SetScopeProvider(scopeProvider);

    /// <inheritdoc />
    public void Dispose()
    {
        _timer.Dispose();
        // What is still owed; the windows are over with the process.
        TellWithheld(TimeSpan.MaxValue);
        _inner.Dispose();
    }

    /// <summary>Tells what was withheld in the windows that are over; called every five seconds.</summary>
    public void TellWithheld() => TellWithheld(Now);

    private void TellWithheld(TimeSpan now)
    {
        IReadOnlyList<(Kind? Kind, long Withheld)> ended;
        lock (_gate)
            ended = _limiter.Ended(now);
        foreach (var (kind, withheld) in ended)
        {
            if (kind is null)
                _own.SeveralWithheld(withheld);
            else
                _own.Withheld(withheld, kind.Source, kind.Event);
        }
    }

    private bool Admits(Kind kind)
    {
        lock (_gate)
            return _limiter.Admits(kind, Now);
    }

    /// <param name="Source">Who told it.</param>
    /// <param name="Event">Its name, or its template.</param>
    private sealed record Kind(string Source, string Event);

    private sealed class Quieting(QuietingLoggers owner, string category, ILogger inner) : ILogger
    {
        public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => inner.BeginScope(state);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel <= LogLevel.Debug || owner.Admits(KindOf(eventId, state)))
                inner.Log(logLevel, eventId, state, exception, formatter);
        }

        private Kind KindOf<TState>(EventId eventId, TState state) => new(
            state is ActorLog.Line line ? line.Place : category,
            eventId.Name ?? ((state as IReadOnlyList<KeyValuePair<string, object?>>) is { Count: > 0 } values ? values[^1].Value as string : null) ?? "");
    }
}

/// <summary>What the log says of itself. Numbers 9900 to 9999.</summary>
internal static partial class WithheldLog
{
    [LoggerMessage(9901, LogLevel.Warning, "{Count} more of {Event} from {Source} were not written in the last minute: of one kind the first 10 are")]
    public static partial void Withheld(this ILogger log, long count, string source, string @event);

    [LoggerMessage(9902, LogLevel.Warning, "{Count} more events of several kinds were not written in the last minute")]
    public static partial void SeveralWithheld(this ILogger log, long count);
}
