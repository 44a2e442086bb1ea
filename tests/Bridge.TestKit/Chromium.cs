using System.Text.RegularExpressions;

namespace Bridge.TestKit;

/// <summary>
/// A real Chromium without a window, with a profile of its own, that resolves no name and so reaches nothing but the loopback.
/// It is driven by the DevTools protocol (CDP) over a WebSocket.
/// </summary>
public sealed partial class Chromium : IAsyncDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(30);

    private readonly ServerProcess _process = new("chromium");
    private DevTools? _tools;

    private Chromium()
    {
    }

    /// <summary>Starts one and waits until it can be driven.</summary>
    /// <exception cref="TimeoutException">It did not come up; the message holds its output.</exception>
    public static async Task<Chromium> StartAsync()
    {
        var browser = new Chromium();
        try
        {
            browser._process.Start(
                "chromium",
                [
                    "--headless=new", "--remote-debugging-port=0", "--user-data-dir=" + Path.Combine(browser._process.Folder, "profile"),
                    // Names lead nowhere; addresses of the loopback stay.
                    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE 127.0.0.2", "--proxy-server=direct://",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-default-apps",
                    "--disable-domain-reliability", "--disable-breakpad", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                    "--no-default-browser-check", "--metrics-recording-only", "--mute-audio", "--hide-scrollbars",
                    // Its sandbox refuses to run for root.
                    .. Environment.UserName == "root" ? ["--no-sandbox"] : (string[])[],
                    "about:blank",
                ],
                new Dictionary<string, string?> { ["HOME"] = browser._process.Folder, ["TMPDIR"] = browser._process.Folder, ["DBUS_SESSION_BUS_ADDRESS"] = "disabled:" });
            var line = await browser._process.LineAsync(line => Listening().IsMatch(line), StartTimeout);
            browser._tools = await DevTools.ConnectAsync(new Uri(Listening().Match(line).Groups[1].Value));
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    /// <summary>Opens an empty page.</summary>
    public Task<BrowserPage> OpenAsync() => BrowserPage.OpenAsync(_tools!);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_tools is not null)
        {
            // All of its processes end with it, and none writes to the folder any more.
            await _tools.TryCloseBrowserAsync();
            await _tools.DisposeAsync();
            await _process.StopAsync();
        }

        await _process.DisposeAsync();
    }

    [GeneratedRegex("^DevTools listening on (ws://\\S+)$")]
    private static partial Regex Listening();
}
