using System.Collections;
using Akka.Actor;
using Akka.Event;
using Akka.Hosting.Logging;
using Bridge.Telemetry;

namespace Bridge.Host.Hosting;

/// <summary>
/// Hands what actors log to the process's logger, with the holes of the template as named values
/// and the actor's path as one of them.
/// </summary>
internal sealed class ActorLog : LoggerFactoryLogger
{
    // One category for all: the logger factory keeps every category for ever, and paths are many.
    private readonly ILogger logger =
        Context.System.Settings.Setup.Get<LoggerFactorySetup>().Value.LoggerFactory.CreateLogger("Bridge.Actors");

    /// <inheritdoc />
    protected override void Log(LogEvent log, ActorPath path)
    {
        var level = log.LogLevel() switch
        {
            Akka.Event.LogLevel.DebugLevel => Microsoft.Extensions.Logging.LogLevel.Debug,
            Akka.Event.LogLevel.InfoLevel => Microsoft.Extensions.Logging.LogLevel.Information,
            Akka.Event.LogLevel.WarningLevel => Microsoft.Extensions.Logging.LogLevel.Warning,
            _ => Microsoft.Extensions.Logging.LogLevel.Error,
        };
        var line = new Line(log);
        logger.Log(level, line.Id, line, log.Cause, static (line, _) => line.ToString());
    }

    /// <summary>One logged event of an actor.</summary>
    internal sealed class Line : IReadOnlyList<KeyValuePair<string, object?>>
    {
        private readonly string message;
        private readonly List<KeyValuePair<string, object?>> values = [];

        public Line(LogEvent log)
        {
            message = log.Message?.ToString() ?? "";
            Source = Shorten(log.LogSource);
            values.Add(new("Actor", Source));
            if (log.Message is ActorEvent told)
            {
                Id = told.Id;
                values.AddRange(told.Values);
                return;
            }

            if (log.TryGetProperties(out var properties) && properties is not null)
                values.AddRange(properties.Select(property => new KeyValuePair<string, object?>(property.Key, property.Value)));
            values.Add(new("{OriginalFormat}", log.GetTemplate()));
        }

        /// <summary>Path of the actor below <c>/user</c>, or the name of the part of Akka that logged.</summary>
        public string Source { get; }

        /// <summary>
        /// As <see cref="Source" />, without the numbers of the actors of a bridge: the tenth puller that fails with the same fault is
        /// no other one than the first.
        /// </summary>
        public string Place
        {
            get
            {
                var segments = Source.Split('/');
                for (var i = 2; i < segments.Length; i++)
                {
                    var dash = segments[i].LastIndexOf('-');
                    if (dash > 0 && segments[i].AsSpan(dash + 1).IndexOfAnyExceptInRange('0', '9') < 0)
                        segments[i] = segments[i][..dash];
                }

                return string.Join('/', segments);
            }
        }

        /// <summary>Number and name of an event of Bridge; none where Akka logged.</summary>
        public EventId Id { get; }

        public int Count => values.Count;

        public KeyValuePair<string, object?> this[int index] => values[index];

        public IEnumerator<KeyValuePair<string, object?>> GetEnumerator() => values.GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        public override string ToString() => message;

        /// <summary><c>akka://bridge/user/bridges/main#123</c> becomes <c>bridges/main</c>.</summary>
        private static string Shorten(string source)
        {
            const string below = "/user/";
            var start = source.IndexOf(below, StringComparison.Ordinal);
            var path = start < 0 ? source : source[(start + below.Length)..];
            var end = path.IndexOfAny(['#', ']', ' ']);
            return end < 0 ? path : path[..end];
        }
    }
}
