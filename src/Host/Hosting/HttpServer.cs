using System.Net;
using System.Net.Mime;
using System.Net.Sockets;
using System.Text.Json;
using Bridge.Cluster;
using Bridge.Host.Configuration;
using Bridge.Host.StatusPage;
using Bridge.Settings;
using Bridge.Telemetry;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Bridge.Host.Hosting;

/// <summary>An address that is configured cannot be listened on; the message says why and what to change.</summary>
internal sealed class AddressException(string message, Exception inner) : Exception(message, inner);

/// <summary>
/// Serves <c>/health/live</c>, <c>/health/ready</c>, <c>/metrics</c>, <c>/api/status</c> and the status page. A web application
/// of its own inside the host, because it must be up before the actors start and must outlive them.
/// </summary>
internal sealed partial class HttpServer(
    HostConfiguration configuration,
    ConfiguredBridges bridges,
    StatusBoard board,
    ClusterBoard cluster,
    TimeProvider time,
    ILoggerFactory loggers,
    Liveness liveness,
    PageRoutes page) : IHostedService
{
    private readonly ILogger logger = loggers.CreateLogger("Bridge.Http");
    private readonly WebApplication application = Build(configuration.Http!, configuration.Bridges.Length, loggers);

    /// <inheritdoc />
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        page.Map(application);
        application.MapGet("/health/live", AnswerLive);
        application.MapGet("/health/ready", AnswerReady);
        application.MapGet("/api/status", AnswerStatus);
        application.MapGet("/api/trace", AnswerTrace);
        application.MapPrometheusScrapingEndpoint("/metrics");
        try
        {
            await application.StartAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            await application.DisposeAsync();
            var socket = exception as SocketException ?? exception.GetBaseException() as SocketException;
            var reason = socket?.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "another process listens there",
                SocketError.AccessDenied => "that port needs more rights",
                SocketError.AddressNotAvailable => "this machine does not have that address",
                _ => exception.Message,
            };
            throw new AddressException(
                $"HTTP cannot be served at {configuration.Http}: {reason}. Set BRIDGE_HTTP (or bridge.http) to another address:port, or to off.",
                exception);
        }

        // Now that they are listened to.
        foreach (var bridge in bridges.Current)
            BridgeMetrics.ShowZerosOf(bridge);

        var addresses = application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses ?? [];
        LogServing(string.Join(", ", addresses));
    }

    /// <inheritdoc />
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await application.StopAsync(cancellationToken);
        await application.DisposeAsync();
    }

    private static WebApplication Build(HttpAddress address, int bridges, ILoggerFactory loggers)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions
        {
            ApplicationName = "bridge",
            ContentRootPath = AppContext.BaseDirectory,
        });
        builder.Services.AddSingleton(loggers);
        builder.Services.AddRoutingCore();
        builder.Services.AddOpenTelemetry().ConfigureResource(resource => resource.AddService("bridge")).WithMetrics(metrics => metrics
            .AddMeter(BridgeMetrics.MeterName)
            // What the runtime itself counts: memory, collections, threads.
            .AddMeter("System.Runtime")
            .AddView(SeriesLimits.For(bridges))
            .AddPrometheusExporter());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = PageRoutes.MostBody;
            if (address.Host == "*")
                kestrel.ListenAnyIP(address.Port);
            // Kestrel cannot take one free port on both loopback addresses.
            else if (address.Host == "localhost" && address.Port != 0)
                kestrel.ListenLocalhost(address.Port);
            else
                kestrel.Listen(address.Host == "localhost" ? IPAddress.Loopback : IPAddress.Parse(address.Host), address.Port);
        });
        return builder.Build();
    }

    /// <summary>Live: the actor system answers a question.</summary>
    private async Task AnswerLive(HttpContext context)
    {
        var (live, text) = await liveness.AskAsync();
        context.Response.StatusCode = live ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        context.Response.ContentType = MediaTypeNames.Text.Plain;
        await context.Response.WriteAsync(text + "\n");
    }

    /// <summary>Ready: every bridge is; with the reason for each.</summary>
    private async Task AnswerReady(HttpContext context)
    {
        var now = time.GetUtcNow();
        var verdicts = bridges.Current
            .Select(bridge => (Bridge: bridge, Snapshot: board.Find(bridge.Name)))
            .Select(pair => (pair.Bridge, pair.Snapshot, Verdict: pair.Snapshot is { } snapshot ? Readiness.Ready(snapshot, now) : (Ready: false, Reason: "starting")))
            .ToList();
        var ready = verdicts.TrueForAll(verdict => verdict.Verdict.Ready);
        context.Response.StatusCode = ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        context.Response.ContentType = MediaTypeNames.Application.Json;
        await using var writer = new Utf8JsonWriter(context.Response.BodyWriter, new JsonWriterOptions { Indented = true });
        writer.WriteStartObject();
        writer.WriteBoolean("ready", ready);
        writer.WriteStartArray("bridges");
        foreach (var (bridge, snapshot, verdict) in verdicts)
            Write(writer, bridge, snapshot, verdict);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <summary>How all nodes and bridges stand, as far as this one knows.</summary>
    private Task AnswerStatus(HttpContext context) => context.Response.WriteAsJsonAsync(
        StatusReport.Of(cluster.Picture, bridges, board, time.GetUtcNow()),
        StatusReport.Json,
        context.RequestAborted);

    /// <summary>What this process has seen of the messages with one stanza id.</summary>
    private Task AnswerTrace(HttpContext context)
    {
        if (context.Request.Query["id"] is not [{ Length: > 0 and <= TraceReport.LongestId } id])
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return context.Response.WriteAsync("id=… must name a stanza id\n");
        }

        return context.Response.WriteAsJsonAsync(
            TraceReport.Of(cluster.Picture?.Self ?? Environment.MachineName, id, bridges.Current, board), StatusReport.Json, context.RequestAborted);
    }

    private static void Write(Utf8JsonWriter writer, BridgeSettings bridge, BridgeSnapshot? snapshot, (bool Ready, string Reason) verdict)
    {
        writer.WriteStartObject();
        writer.WriteString("name", bridge.Name);
        writer.WriteBoolean("ready", verdict.Ready);
        writer.WriteString("reason", verdict.Reason);
        writer.WriteString("queue", bridge.Queue.Keys.Queue);
        writer.WriteString("domain", bridge.Xmpp.Domain);
        if (snapshot is not null)
        {
            writer.WriteString("role", JsonNamingPolicy.KebabCaseLower.ConvertName(snapshot.Role.ToString()));
            writer.WriteString("connection", BridgeMetrics.Name(snapshot.Connection));
            writer.WriteString("endpoint", snapshot.Endpoint);
            writer.WriteNumber("queued", snapshot.QueueLength);
            writer.WriteNumber("journal", snapshot.JournalLength);
            writer.WriteNumber("unconfirmed", snapshot.UnconfirmedEntries);
            writer.WriteNumber("held", snapshot.HeldEntries);
            if (snapshot.Listening is { } listening)
                writer.WriteBoolean("listening", listening);
        }

        writer.WriteEndObject();
    }

    [LoggerMessage(LogLevel.Information, "Status page, health and metrics at {Addresses}")]
    private partial void LogServing(string addresses);
}
