using System.Globalization;
using System.Text.Json;
using Bridge.Host.Hosting;

namespace Bridge.Host.Checks;

/// <summary>How a fact is to be taken.</summary>
internal enum Verdict
{
    /// <summary>As it should be.</summary>
    Ok,

    /// <summary>Works, but something should be known or changed.</summary>
    Warn,

    /// <summary>Bridge cannot work, or would lose messages.</summary>
    Fail,
}

/// <summary>Facts, one line each, written as they are found.</summary>
/// <param name="output">Where to.</param>
/// <param name="json">Whether each is a JSON object, for scripts.</param>
internal sealed class CheckReport(TextWriter output, bool json = false)
{
    private string? bridge;

    private readonly int[] counts = new int[3];

    /// <summary>Whether a fact is marked FAIL.</summary>
    public bool HasFailed => counts[(int)Verdict.Fail] > 0;

    /// <summary>A fact that is as it should be.</summary>
    public Task OkAsync(string fact) => WriteAsync(Verdict.Ok, fact, null);

    /// <summary>A fact to know about, and what to change.</summary>
    public Task WarnAsync(string fact, string change) => WriteAsync(Verdict.Warn, fact, change);

    /// <summary>A fact that stands in the way, and what to change.</summary>
    public Task FailAsync(string fact, string change) => WriteAsync(Verdict.Fail, fact, change);

    /// <summary>The facts that follow are of this bridge.</summary>
    public Task BeginAsync(string name, string queue, string domain)
    {
        bridge = name;
        return json ? Task.CompletedTask : output.WriteLineAsync($"bridge {name}: {queue} to {domain}");
    }

    /// <summary>The counts, at the end.</summary>
    public Task SummariseAsync() => json ? Task.CompletedTask : output.WriteLineAsync(string.Create(
        CultureInfo.InvariantCulture,
        $"{counts[(int)Verdict.Ok]} ok, {counts[(int)Verdict.Warn]} warn, {counts[(int)Verdict.Fail]} FAIL"));

    private async Task WriteAsync(Verdict verdict, string fact, string? change)
    {
        counts[(int)verdict]++;
        if (json)
        {
            await output.WriteLineAsync(JsonSerializer.Serialize(new { bridge, verdict = verdict.ToString().ToLowerInvariant(), fact, change }, StatusReport.JsonLine));
            await output.FlushAsync();
            return;
        }

        var mark = verdict switch { Verdict.Ok => "ok   ", Verdict.Warn => "warn ", _ => "FAIL " };
        // A server's words may hold line breaks or worse.
        var line = string.Concat((mark + fact + (change is null ? "" : " -> " + change)).Select(c => char.IsControl(c) ? ' ' : c));
        await output.WriteLineAsync(line);
        await output.FlushAsync();
    }
}
