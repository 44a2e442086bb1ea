using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace Bridge.TestKit;

/// <summary>A page in a <see cref="Chromium"/>: it is led to an address, asked, typed at and looked at.</summary>
public sealed class BrowserPage : IAsyncDisposable
{
    private readonly DevTools _tools;
    private readonly string _target;
    private readonly string _session;
    private readonly ConcurrentQueue<string> _complaints = new();
    private readonly ConcurrentQueue<string> _requests = new();

    private BrowserPage(DevTools tools, string target, string session)
    {
        (_tools, _target, _session) = (tools, target, session);
        tools.Listen(session, OnEvent);
    }

    /// <summary>Errors and warnings of the console, exceptions, and what a policy blocked, in order.</summary>
    public IReadOnlyCollection<string> Complaints => _complaints;

    /// <summary>Every address that the page asked for, in order.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    /// <summary>Goes to an address and waits until the document is there.</summary>
    public async Task GoAsync(Uri address)
    {
        var answer = await CallAsync("Page.navigate", new JsonObject { ["url"] = address.ToString() });
        if (answer["errorText"] is { } error)
            throw new InvalidOperationException($"{address}: {error}");
        await UntilAsync("document.readyState === 'complete' && location.href !== 'about:blank'", "the page is loaded");
    }

    /// <summary>The value of a JavaScript expression, as text; promises are waited for.</summary>
    /// <exception cref="InvalidOperationException">It threw; the message tells what.</exception>
    public async Task<string> AskAsync(string expression)
    {
        var answer = await CallAsync(
            "Runtime.evaluate", new JsonObject { ["expression"] = expression, ["returnByValue"] = true, ["awaitPromise"] = true });
        if (answer["exceptionDetails"] is { } exception)
            throw new InvalidOperationException(exception.ToJsonString());
        return answer["result"]?["value"]?.ToString() ?? "";
    }

    /// <summary>Waits until a JavaScript expression is true.</summary>
    /// <exception cref="TimeoutException">It did not become so; the message holds the page's text.</exception>
    public async Task UntilAsync(string expression, string what, TimeSpan? deadline = null)
    {
        try
        {
            await Eventually.TrueAsync(async () => await TryAskAsync($"String(Boolean({expression}))") == "true", deadline ?? TimeSpan.FromSeconds(15), what);
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"{exception.Message} The page says:\n{await AskAsync("document.body.innerText")}\nComplaints: {string.Join('\n', _complaints)}");
        }
    }

    /// <summary>Presses a key, as a keyboard does.</summary>
    /// <param name="key">As <c>KeyboardEvent.key</c> names it: <c>Tab</c>, <c>Enter</c>, <c>Escape</c>, <c>ArrowLeft</c>.</param>
    public async Task PressAsync(string key)
    {
        var code = key switch
        {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            "ArrowLeft" => 37,
            _ => throw new ArgumentOutOfRangeException(nameof(key), key, "not one of these"),
        };
        // A control is pressed by the character of the key, not by the key.
        var down = new JsonObject { ["type"] = key == "Enter" ? "keyDown" : "rawKeyDown", ["key"] = key, ["code"] = key, ["windowsVirtualKeyCode"] = code };
        if (key == "Enter")
            down["text"] = "\r";
        await CallAsync("Input.dispatchKeyEvent", down);
        await CallAsync("Input.dispatchKeyEvent", new JsonObject { ["type"] = "keyUp", ["key"] = key, ["code"] = key, ["windowsVirtualKeyCode"] = code });
    }

    /// <summary>Types text into what has the focus.</summary>
    public Task TypeAsync(string text) => CallAsync("Input.insertText", new JsonObject { ["text"] = text });

    /// <summary>Prefers light or dark.</summary>
    public Task PreferAsync(bool dark) => CallAsync(
        "Emulation.setEmulatedMedia",
        new JsonObject { ["features"] = new JsonArray(new JsonObject { ["name"] = "prefers-color-scheme", ["value"] = dark ? "dark" : "light" }) });

    /// <summary>Gives the page a width and height in CSS pixels.</summary>
    public Task ResizeAsync(int width, int height) => CallAsync(
        "Emulation.setDeviceMetricsOverride",
        new JsonObject { ["width"] = width, ["height"] = height, ["deviceScaleFactor"] = 1, ["mobile"] = width < 600 });

    /// <summary>Writes a picture of the whole page as PNG.</summary>
    public async Task PictureAsync(string file)
    {
        var answer = await CallAsync("Page.captureScreenshot", new JsonObject { ["captureBeyondViewport"] = true });
        await File.WriteAllBytesAsync(file, Convert.FromBase64String((string)answer["data"]!));
    }

    /// <summary>Closes it, and with it what it listens to.</summary>
    public async ValueTask DisposeAsync() => await _tools.CallAsync("Target.closeTarget", new JsonObject { ["targetId"] = _target });

    internal static async Task<BrowserPage> OpenAsync(DevTools tools)
    {
        var target = await tools.CallAsync("Target.createTarget", new JsonObject { ["url"] = "about:blank" });
        var attached = await tools.CallAsync(
            "Target.attachToTarget", new JsonObject { ["targetId"] = target["targetId"]!.DeepClone(), ["flatten"] = true });
        var page = new BrowserPage(tools, (string)target["targetId"]!, (string)attached["sessionId"]!);
        foreach (var domain in new[] { "Page", "Runtime", "Log", "Network" })
            await page.CallAsync(domain + ".enable", []);
        // A page in the background gets no focus.
        await page.CallAsync("Emulation.setFocusEmulationEnabled", new JsonObject { ["enabled"] = true });
        return page;
    }

    private Task<JsonNode> CallAsync(string method, JsonObject parameters) => _tools.CallAsync(method, parameters, _session);

    // While the page is exchanged for another there is nothing to ask.
    private async Task<string> TryAskAsync(string expression)
    {
        try
        {
            return await AskAsync(expression);
        }
        catch (InvalidOperationException)
        {
            return "";
        }
    }

    private void OnEvent(string method, JsonNode parameters)
    {
        switch (method)
        {
            case "Network.requestWillBeSent":
                _requests.Enqueue((string)parameters["request"]!["url"]!);
                break;
            case "Runtime.exceptionThrown":
                _complaints.Enqueue(parameters["exceptionDetails"]!.ToJsonString());
                break;
            case "Runtime.consoleAPICalled" when (string?)parameters["type"] is "error" or "warning" or "assert":
                _complaints.Enqueue(parameters["args"]!.ToJsonString());
                break;
            case "Log.entryAdded" when (string?)parameters["entry"]!["level"] is "error" or "warning":
                _complaints.Enqueue(parameters["entry"]!.ToJsonString());
                break;
        }
    }
}
