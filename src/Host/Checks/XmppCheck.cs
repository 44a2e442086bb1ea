using System.Globalization;
using System.Net;
using System.Xml.Linq;
using Bridge.Settings;

namespace Bridge.Host.Checks;

/// <summary>Looks at the XMPP side of one bridge: every endpoint, as the component.</summary>
/// <param name="bridge">The bridge.</param>
/// <param name="report">Where facts go.</param>
internal sealed class XmppCheck(BridgeSettings bridge, CheckReport report)
{
    private const int RoundTrips = 10;
    private const string Ping = "<ping xmlns='urn:xmpp:ping'/>";
    private const string Last = "<query xmlns='jabber:iq:last'/>";

    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(5);

    private readonly XmppSettings xmpp = bridge.Xmpp;

    /// <summary>Checks every endpoint.</summary>
    /// <param name="asComponent">Whether to take the component's place; else only to knock.</param>
    public async Task RunAsync(bool asComponent)
    {
        foreach (var endpoint in xmpp.Endpoints)
        {
            try
            {
                if (await ReachAsync(endpoint, asComponent) && asComponent)
                {
                    await CheckPolicyAsync(endpoint);
                    await CheckSizeAsync(endpoint);
                }
            }
            catch (CheckStreamException exception)
            {
                await report.FailAsync($"XMPP {endpoint}: {exception.Message}", Advice(exception));
            }
        }

        if (asComponent)
            await CheckAddressesAsync();
    }

    private async Task<bool> ReachAsync(XmppEndpoint endpoint, bool asComponent)
    {
        await using var stream = await CheckStream.ConnectAsync(endpoint, xmpp);
        await report.OkAsync($"XMPP {endpoint}: connected{(xmpp.Tls is null ? "" : " with TLS")}");
        var id = await stream.OpenAsync(xmpp);
        if (!asComponent)
        {
            await report.OkAsync($"XMPP {endpoint}: a component port that knows {xmpp.Domain}, as far as the stream header tells");
            await stream.CloseAsync(xmpp.CloseTimeout);
            return false;
        }

        await stream.HandshakeAsync(id, xmpp);
        await report.OkAsync($"XMPP {endpoint}: handshake accepted for {xmpp.Domain}");
        await MeasureAsync(endpoint, stream);
        await CheckUptimeAsync(endpoint, stream);
        await stream.CloseAsync(xmpp.CloseTimeout);
        return true;
    }

    private async Task MeasureAsync(XmppEndpoint endpoint, CheckStream stream)
    {
        var times = new List<TimeSpan>();
        var strangers = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < RoundTrips; i++)
        {
            var id = NewId();
            var began = TimeProvider.System.GetTimestamp();
            await stream.AskAsync(xmpp.Domain, xmpp.Domain, id, Ping);
            try
            {
                await AnswerAsync(stream, id, strangers);
            }
            catch (CheckStreamException exception) when (exception.InnerException is TimeoutException)
            {
                await report.FailAsync(
                    $"XMPP {endpoint}: barrier {i + 1} of {RoundTrips} did not come back",
                    "either a second connection holds the component (ejabberd spreads traffic over both): stop it; or the server does not route the component's stanzas back to it");
                throw;
            }

            times.Add(TimeProvider.System.GetElapsedTime(began));
        }

        times.Sort();
        await report.OkAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"XMPP {endpoint}: barrier round trip {times[RoundTrips / 2].TotalMilliseconds:0.00} ms (median of {RoundTrips}, slowest {times[^1].TotalMilliseconds:0.00} ms)"));
        if (strangers.Count > 0)
            await report.FailAsync(
                $"XMPP {endpoint}: the component received what was sent to {string.Join(", ", strangers.Order(StringComparer.Ordinal))}",
                "set global_routes: false at ejabberd's listener, which gives a component its neighbours' traffic");
    }

    private async Task CheckUptimeAsync(XmppEndpoint endpoint, CheckStream stream)
    {
        if (xmpp.ServerDomain is null)
        {
            await report.OkAsync($"XMPP {endpoint}: the server is not asked for its uptime (xmpp.server-domain)");
            return;
        }

        var id = NewId();
        await stream.AskAsync(xmpp.Domain, xmpp.ServerDomain, id, Last);
        var answer = await AnswerAsync(stream, id, []);
        var seconds = answer.Attribute("type")?.Value == "result" ? answer.Elements().FirstOrDefault()?.Attribute("seconds")?.Value : null;
        if (seconds is not null)
            await report.OkAsync($"XMPP {endpoint}: {xmpp.ServerDomain} runs for {seconds} s, by its own word (XEP-0012)");
        else if (bridge.Confirm is { Grade: not ConfirmGrade.Accepted, TrustUptime: UptimeTrust.Auto })
            await report.WarnAsync(
                $"XMPP {endpoint}: {xmpp.ServerDomain} does not tell its uptime, so each break of the connection sends held messages again",
                "load mod_uptime (Prosody) or mod_last (ejabberd), or set xmpp.server-domain");
        else
            await report.OkAsync($"XMPP {endpoint}: {xmpp.ServerDomain} does not tell its uptime, which is not needed here");
    }

    /// <summary>Each address that stanzas may come from, on a stream of its own: a server that objects ends it.</summary>
    private async Task CheckPolicyAsync(XmppEndpoint endpoint)
    {
        foreach (var from in bridge.Stanza.FromDomains.Prepend(bridge.Stanza.DefaultFrom).Distinct(StringComparer.Ordinal).Where(from => from != xmpp.Domain))
        {
            await using var stream = await OpenAsync(endpoint);
            var id = NewId();
            await stream.AskAsync(from, xmpp.Domain, id, Ping);
            try
            {
                await AnswerAsync(stream, id, []);
                await report.OkAsync($"XMPP {endpoint}: lets from='{from}' pass");
            }
            catch (CheckStreamException exception)
            {
                await report.FailAsync(
                    $"XMPP {endpoint}: does not let from='{from}' pass: {exception.Message}",
                    "set validate_from_addresses = false for the component (Prosody) or check_from: false at the listener (ejabberd), or take the domain out of stanza.from-domains");
            }

            await stream.CloseAsync(xmpp.CloseTimeout);
        }
    }

    /// <summary>Whether the largest stanza that may pass the firewall passes the server as well.</summary>
    private async Task CheckSizeAsync(XmppEndpoint endpoint)
    {
        await using var stream = await OpenAsync(endpoint);
        var id = NewId();
        // What surrounds the text is a little less than what the limit leaves for it.
        var length = Math.Max(1, bridge.Stanza.MaxBytes - 256 - (2 * xmpp.Domain.Length));
        await stream.SendTextAsync(xmpp.Domain, id, length);
        try
        {
            await AnswerAsync(stream, id, []);
            await report.OkAsync($"XMPP {endpoint}: takes stanzas of {bridge.Stanza.MaxBytes} B (stanza.max-bytes)");
        }
        catch (CheckStreamException exception)
        {
            await report.WarnAsync(
                $"XMPP {endpoint}: does not take a stanza of {bridge.Stanza.MaxBytes} B: {exception.Message}",
                "lower stanza.max-bytes below the server's limit (ejabberd: max_stanza_size; Prosody: component_stanza_size_limit), or raise that");
        }

        await stream.CloseAsync(xmpp.CloseTimeout);
    }

    private async Task CheckAddressesAsync()
    {
        if (bridge.Confirm is not { Grade: not ConfirmGrade.Accepted, TrustUptime: UptimeTrust.Auto })
            return;
        if (xmpp.Endpoints.Length > 1)
        {
            await report.OkAsync("several endpoints: after a break held messages are always sent again");
            return;
        }

        var addresses = await AddressesAsync(xmpp.Endpoints[0].Host);
        if (addresses.Length > 1 && !Array.TrueForAll(addresses, IPAddress.IsLoopback))
            await report.OkAsync($"{xmpp.Endpoints[0].Host} stands for {addresses.Length} addresses: after a break held messages are always sent again");
    }

    private static async Task<IPAddress[]> AddressesAsync(string host)
    {
        try
        {
            return await Dns.GetHostAddressesAsync(host);
        }
        catch (System.Net.Sockets.SocketException)
        {
            return []; // Reported where the connection was tried.
        }
    }

    private async Task<CheckStream> OpenAsync(XmppEndpoint endpoint)
    {
        var stream = await CheckStream.ConnectAsync(endpoint, xmpp);
        try
        {
            await stream.HandshakeAsync(await stream.OpenAsync(xmpp), xmpp);
            return stream;
        }
        catch (CheckStreamException)
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    /// <summary>Reads up to the stanza with this id; what else comes is for others, whose domains are noted.</summary>
    private async Task<XElement> AnswerAsync(CheckStream stream, string id, HashSet<string> strangers)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var left = AnswerTimeout - TimeProvider.System.GetElapsedTime(began);
            var stanza = await stream.NextAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero);
            if (stanza.Attribute("id")?.Value == id)
                return stanza;
            var to = stanza.Attribute("to")?.Value ?? "";
            var domain = to[(to.IndexOf('@', StringComparison.Ordinal) + 1)..].Split('/')[0].ToLowerInvariant();
            if (domain.Length > 0 && domain != xmpp.Domain)
                strangers.Add(domain);
        }
    }

    private static string NewId() => "check-" + Guid.NewGuid().ToString("N");

    private static string Advice(CheckStreamException exception) =>
        exception.Error?.Advice
        ?? (exception.InnerException is TimeoutException
            ? "see that the server is not frozen, and that this is its component port"
            : "see that the XMPP server runs and that BRIDGE_XMPP names its component port (Prosody: component_ports, ejabberd: the listener with ejabberd_service)");
}
