using Bridge.Host.Hosting;
using Microsoft.Extensions.Logging;

namespace Bridge.Actors.Tests.Host;

public sealed partial class QuietingLoggersTests : IDisposable
{
    private readonly ManualTime _time = new();
    private readonly Kept _kept = new();
    private readonly QuietingLoggers _quieting;

    public QuietingLoggersTests() => _quieting = new QuietingLoggers(_kept, _time);

    public void Dispose() => _quieting.Dispose();

    [Fact]
    public void A_fault_that_repeats_is_written_ten_times_a_minute_and_then_counted()
    {
        var logger = _quieting.CreateLogger("Part");
        for (var i = 0; i < 37; i++)
            Failed(logger, i);
        Other(logger);

        Assert.Equal([.. Enumerable.Range(0, 10).Select(i => $"Part: failed with {i}"), "Part: something else"], _kept.Lines);
        _time.Advance(TimeSpan.FromSeconds(65));
        _quieting.TellWithheld();
        Assert.Equal("Bridge.Log: 27 more of Failed from Part were not written in the last minute: of one kind the first 10 are", _kept.Lines[^1]);
        Failed(logger, 38);
        Assert.Equal("Part: failed with 38", _kept.Lines[^1]);
    }

    [Fact]
    public void Two_parts_that_say_the_same_are_two()
    {
        for (var i = 0; i < 10; i++)
            Failed(_quieting.CreateLogger("One"), i);
        Failed(_quieting.CreateLogger("Two"), 0);

        Assert.Equal("Two: failed with 0", _kept.Lines[^1]);
    }

    [Fact]
    public void What_is_for_debugging_passes_always()
    {
        for (var i = 0; i < 20; i++)
            Detail(_quieting.CreateLogger("Part"), i);

        Assert.Equal(20, _kept.Lines.Count);
    }

    [Fact]
    public void What_was_withheld_is_told_before_the_end()
    {
        for (var i = 0; i < 11; i++)
            Failed(_quieting.CreateLogger("Part"), i);
        _quieting.Dispose();

        Assert.StartsWith("Bridge.Log: 1 more of Failed from Part", _kept.Lines[^1], StringComparison.Ordinal);
    }

    [LoggerMessage(1, LogLevel.Warning, "failed with {Number}")]
    private static partial void Failed(ILogger logger, int number);

    [LoggerMessage(2, LogLevel.Information, "something else")]
    private static partial void Other(ILogger logger);

    [LoggerMessage(3, LogLevel.Debug, "detail {Number}")]
    private static partial void Detail(ILogger logger, int number);

    private sealed class Kept : ILoggerProvider
    {
        public List<string> Lines { get; } = [];

        public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

        public void Dispose()
        {
        }

        private sealed class Logger(Kept kept, string category) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                kept.Lines.Add($"{category}: {formatter(state, exception)}");
        }
    }
}
