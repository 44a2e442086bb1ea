using System.Net;
using System.Text.Json;
using Bridge.Host.Configuration;
using Bridge.Host.Hosting;

namespace Bridge.Host.Cli;

/// <summary>Asks running nodes over HTTP, with the token of the configuration where there is one.</summary>
internal sealed class NodeClient : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly HttpClient _http;
    private readonly PageToken? _token;

    /// <summary>For nodes that share a token.</summary>
    public NodeClient(PageToken? token)
    {
        _token = token;
        // Where it is sent on to, nobody has named: the token would go there too.
        _http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = Patience };
        if (token is not null)
            _http.DefaultRequestHeaders.Authorization = new("Bearer", token.Reveal());
    }

    /// <inheritdoc />
    public void Dispose() => _http.Dispose();

    /// <summary>What a node answers; null after having said why it does not.</summary>
    public async Task<T?> AskAsync<T>(Uri node, string path, TextWriter error, CancellationToken cancellation)
        where T : class
    {
        try
        {
            using var answer = await _http.GetAsync(new Uri(node, path), cancellation);
            if (answer.StatusCode is not (HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden))
            {
                answer.EnsureSuccessStatusCode();
                return await answer.Content.ReadFromJsonAsync<T>(StatusReport.Json, cancellation);
            }

            await error.WriteLineAsync($"bridge: {node} does not tell: {Refusal(answer.StatusCode, await answer.Content.ReadAsStringAsync(cancellation))}");
        }
        catch (Exception exception) when (!cancellation.IsCancellationRequested && exception is HttpRequestException or JsonException or TaskCanceledException)
        {
            await error.WriteLineAsync($"bridge: {node} does not tell: {OneBridge.OneLine(exception.Message)}");
        }

        return null;
    }

    /// <summary>Where a configuration's node serves HTTP; null where it does not, or at a port that only its log tells.</summary>
    public static Uri? Of(HostConfiguration configuration) => configuration.Http is { Port: not 0 } http
        ? new Uri($"http://{(http.Host == "*" ? new HttpAddress("127.0.0.1", http.Port) : http)}")
        : null;

    /// <summary>A node's address as it is given on a command line.</summary>
    public static bool TryParse(string text, out Uri node) =>
        Uri.TryCreate(text, UriKind.Absolute, out node!) && node.Scheme is "http" or "https";

    private string Refusal(HttpStatusCode status, string words) => status == HttpStatusCode.Forbidden
        ? OneBridge.OneLine(words).Trim()
        : _token is null
            ? "it wants a token; give it as BRIDGE_HTTP_TOKEN, or in a file by BRIDGE_HTTP_TOKEN_FILE or bridge.page.token-file"
            : "it has another token than this configuration";
}
