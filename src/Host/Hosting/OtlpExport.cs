using System.Diagnostics.Tracing;
using Bridge.Host.Configuration;
using Bridge.Telemetry;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Bridge.Host.Hosting;

/// <summary>
/// Sends metrics and spans to a collector, from before the actors start until they have ended. A collector that is away costs nothing
/// but what it misses; the log says so, once a minute at most.
/// </summary>
internal sealed partial class OtlpExport(HostConfiguration configuration, ConfiguredBridges bridges, TimeProvider time, ILoggerFactory loggers) : IHostedService, IDisposable
{
    // Each of both; the process has so long to end, see BridgeHost.
    private static readonly TimeSpan LastCall = TimeSpan.FromSeconds(2);

    private readonly ILogger logger = loggers.CreateLogger("Bridge.Otlp");
    private MeterProvider? metrics;
    private TracerProvider? traces;
    private ExporterFaults? faults;

    /// <inheritdoc />
    public Task StartAsync(CancellationToken cancellationToken)
    {
        var settings = configuration.Otlp!;
        faults = new ExporterFaults(time, words => LogNotSent(settings.Endpoint, words));
        metrics = Sdk.CreateMeterProviderBuilder()
            .ConfigureServices(WithoutEnvironment)
            .SetResourceBuilder(Describe())
            .AddMeter(BridgeMetrics.MeterName)
            .AddMeter("System.Runtime")
            .AddView(SeriesLimits.For(bridges.Current.Length))
            .AddOtlpExporter((exporter, reader) =>
            {
                Configure(exporter, settings, "v1/metrics");
                reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = (int)settings.Every.TotalMilliseconds;
                reader.PeriodicExportingMetricReaderOptions.ExportTimeoutMilliseconds = (int)settings.Timeout.TotalMilliseconds;
                reader.TemporalityPreference = MetricReaderTemporalityPreference.Cumulative;
            })
            .Build();
        traces = Sdk.CreateTracerProviderBuilder()
            .ConfigureServices(WithoutEnvironment)
            .SetResourceBuilder(Describe())
            // The app decides, by the flag of its traceparent.
            .SetSampler(new ParentBasedSampler(new AlwaysOnSampler()))
            .AddSource(DeliverySpans.SourceName)
            .AddOtlpExporter(exporter => Configure(exporter, settings, "v1/traces"))
            .Build();
        foreach (var bridge in bridges.Current)
            BridgeMetrics.ShowZerosOf(bridge);
        LogSending(settings.Endpoint, settings.Carrier);
        return Task.CompletedTask;
    }

    /// <inheritdoc />
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        // They block. The last ones are sent within the patience, or not at all.
        var patience = (int)LastCall.TotalMilliseconds;
        await Task.WhenAll(
            Task.Run(() => metrics?.Shutdown(patience), CancellationToken.None),
            Task.Run(() => traces?.Shutdown(patience), CancellationToken.None));
    }

    /// <inheritdoc />
    public void Dispose()
    {
        metrics?.Dispose();
        traces?.Dispose();
        faults?.Dispose();
    }

    private static void Configure(OtlpExporterOptions exporter, OtlpSettings settings, string path)
    {
        exporter.Protocol = settings.Carrier == OtlpCarrier.Grpc ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
        exporter.Endpoint = settings.Carrier == OtlpCarrier.Grpc
            ? settings.Endpoint
            : new Uri(settings.Endpoint.AbsoluteUri.TrimEnd('/') + "/" + path);
        exporter.TimeoutMilliseconds = (int)settings.Timeout.TotalMilliseconds;
    }

    // By itself OpenTelemetry reads variables that begin with OTEL_: headers, sampling, names. Nobody would look for them.
    private static void WithoutEnvironment(IServiceCollection services) =>
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().Build());

    private static ResourceBuilder Describe() =>
        ResourceBuilder.CreateEmpty().AddTelemetrySdk().AddService("bridge", serviceVersion: ProgramVersion.Text, autoGenerateServiceInstanceId: false, serviceInstanceId: Environment.MachineName);

    [LoggerMessage(LogLevel.Information, "Metrics and traces go to {Endpoint} by OTLP ({Carrier})")]
    private partial void LogSending(Uri endpoint, OtlpCarrier carrier);

    [LoggerMessage(LogLevel.Warning, "Metrics or traces could not be sent to {Endpoint}: {Cause}")]
    private partial void LogNotSent(Uri endpoint, string cause);

    /// <summary>The exporter tells of its failures nowhere but in its event source.</summary>
    private sealed class ExporterFaults(TimeProvider time, Action<string> tell) : EventListener
    {
        private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);

        private readonly Lock gate = new();
        private long? toldAt;

        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            if (eventSource.Name == "OpenTelemetry-Exporter-OpenTelemetryProtocol")
                EnableEvents(eventSource, EventLevel.Warning);
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            lock (gate)
            {
                if (toldAt is { } before && time.GetElapsedTime(before) < Quiet)
                    return;
                toldAt = time.GetTimestamp();
            }

            // The first line alone: an exception is told with its trace.
            var words = string.Join(": ", eventData.Payload?.Select(part => $"{part}".Split('\n')[0].Trim()) ?? []);
            tell($"{eventData.EventName}: {words}");
        }
    }
}
