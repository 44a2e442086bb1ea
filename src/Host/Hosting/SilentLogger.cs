using Akka.Event;

namespace Bridge.Host.Hosting;

/// <summary>
/// Takes what Akka would print on standard output by itself: what is logged while the actor system
/// ends and its logger with it. Printed in Akka's own form, it would break the lines of a log
/// collector; it is about the end of actors that have drained before.
/// </summary>
internal sealed class SilentLogger : MinimalLogger
{
    /// <inheritdoc />
    protected override void Log(object message)
    {
    }
}
