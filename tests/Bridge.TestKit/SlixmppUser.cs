using System.Globalization;
using System.Text.Json;

namespace Bridge.TestKit;

/// <summary>A logged-in user whose client is slixmpp, a library that knows nothing of Bridge: <c>Clients/slixmpp-user.py</c>.</summary>
public sealed class SlixmppUser : IAsyncDisposable
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(30);

    private readonly ServerProcess _process = new("slixmpp");
    private int _asked;

    private SlixmppUser()
    {
    }

    /// <summary>Logs in with a resource, and becomes available.</summary>
    public static async Task<SlixmppUser> LoginAsync(IXmppServer server, string name, string resource)
    {
        var user = new SlixmppUser();
        try
        {
            var script = Path.Combine(AppContext.BaseDirectory, "Clients", "slixmpp-user.py");
            user._process.Start(
                // Debian's, for which its package installs the library.
                "/usr/bin/python3",
                ["-I", script, $"{name}@{server.Domain}/{resource}", server.ClientPort.ToString(CultureInfo.InvariantCulture)],
                new Dictionary<string, string?> { ["XMPP_PASSWORD"] = server.Users[name] },
                keepsInput: true);
            await user.SawAsync("session");
            return user;
        }
        catch
        {
            await user.DisposeAsync();
            throw;
        }
    }

    /// <summary>Everything that it has told so far.</summary>
    public IReadOnlyList<JsonElement> Told =>
        [.. _process.Lines.Where(line => line.StartsWith('{')).Select(line => JsonDocument.Parse(line).RootElement)];

    /// <summary>Has it do something, and waits for what came of it.</summary>
    /// <param name="what">A word that the script knows.</param>
    /// <param name="to">Whom it concerns.</param>
    /// <param name="more">What else the script is to know.</param>
    public async Task<JsonElement> DoAsync(string what, string to, params (string Name, string Value)[] more)
    {
        ArgumentNullException.ThrowIfNull(more);
        var number = Interlocked.Increment(ref _asked);
        var order = new Dictionary<string, object> { ["ask"] = number, ["do"] = what, ["to"] = to };
        foreach (var (name, value) in more)
            order[name] = value;
        await _process.TellAsync(JsonSerializer.Serialize(order));
        return await LineAsync(told => told.TryGetProperty("answer", out var answer) && answer.GetInt32() == number);
    }

    /// <summary>Waits until it saw something of this sort.</summary>
    public Task<JsonElement> SawAsync(string what, Func<JsonElement, bool>? which = null) =>
        LineAsync(told => told.TryGetProperty("saw", out var saw) && saw.GetString() == what && (which is null || which(told)));

    /// <inheritdoc />
    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private async Task<JsonElement> LineAsync(Func<JsonElement, bool> matches) => JsonDocument.Parse(await _process.LineAsync(
        line => line.StartsWith('{') && matches(JsonDocument.Parse(line).RootElement), AnswerTimeout)).RootElement;
}
