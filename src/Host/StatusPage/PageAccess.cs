using System.Security.Cryptography;
using System.Text;
using Bridge.Host.Configuration;
using Microsoft.Net.Http.Headers;

namespace Bridge.Host.StatusPage;

/// <summary>Why a request to the status page is refused: a closed set.</summary>
internal enum Refusal
{
    /// <summary>Others can reach the address, and there is no token.</summary>
    Closed,

    /// <summary>The name that was asked for is none of the loopback's: a name of somebody else that leads here (DNS rebinding).</summary>
    ForeignHost,

    /// <summary>There is a token, and the request shows none.</summary>
    NoToken,

    /// <summary>It shows another one, or the session is over.</summary>
    WrongToken,

    /// <summary>A page of another site has a browser ask.</summary>
    CrossSite,

    /// <summary>What changes something must be JSON, which no form of another site can send.</summary>
    NotJson,
}

/// <summary>
/// Who may see the status page, and who may change something there. Health and metrics are no business of it.
/// Thread-safe; keeps nothing but the sessions.
/// </summary>
/// <param name="address">Where HTTP is served.</param>
/// <param name="page">The token.</param>
/// <param name="time">The clock of the sessions.</param>
internal sealed class PageAccess(HttpAddress address, PageSettings page, TimeProvider time)
{
    private const string Scheme = "Bearer ";

    private readonly byte[]? token = page.Token is { } given ? Hash(given.Reveal()) : null;
    private readonly PageSessions sessions = new(time);

    /// <summary>Whether there is a token, and so a way to sign in and out.</summary>
    public bool HasToken => token is not null;

    private bool IsLoopback => HostAndPort.IsLoopback(address.Host);

    /// <summary>Null where the request may see how everything stands.</summary>
    public Refusal? OfReader(HttpRequest request)
    {
        if (token is null)
        {
            if (!IsLoopback)
                return Refusal.Closed;
            if (!NamesThisMachine(request.Host))
                return Refusal.ForeignHost;
        }
        else if (OfToken(request) is { } refusal)
            return refusal;

        // A link on another site may lead to the page, which holds nothing; the page itself asks for the rest.
        return request.Path == "/" || IsSameSite(request) ? null : Refusal.CrossSite;
    }

    /// <summary>Null where the request, which <see cref="OfReader" /> lets pass, may also change something.</summary>
    public static Refusal? OfChange(HttpRequest request)
    {
        if (!IsSameSite(request))
            return Refusal.CrossSite;
        // A form sends text/plain and the like without the browser asking first; JSON it does not (Fetch §4.8).
        return MediaTypeHeaderValue.TryParse(request.ContentType, out var type) && type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
            ? null
            : Refusal.NotJson;
    }

    /// <summary>Begins a session for who gives the token, and tells its cookie; else why not.</summary>
    public Refusal? TrySignIn(HttpRequest request, string shown, out string session)
    {
        session = "";
        if (token is null)
            return Refusal.Closed;
        if (!IsSameSite(request))
            return Refusal.CrossSite;
        if (!CryptographicOperations.FixedTimeEquals(Hash(shown), token))
            return Refusal.WrongToken;
        session = sessions.Begin();
        return null;
    }

    /// <summary>Ends the session of the request.</summary>
    public void SignOut(HttpRequest request)
    {
        if (request.Cookies[CookieName(request)] is { } session)
            sessions.End(session);
    }

    /// <summary>The session's cookie. One name for each port, because browsers keep one jar for all of a host (RFC 6265 §8.5).</summary>
    public static string CookieName(HttpRequest request) =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"bridge-session-{request.HttpContext.Connection.LocalPort}");

    /// <summary>How the cookie is kept: by the browser alone, for this site alone, and not longer than the session.</summary>
    public static CookieOptions CookieOptions(HttpRequest request) => new()
    {
        HttpOnly = true,
        SameSite = Microsoft.AspNetCore.Http.SameSiteMode.Strict,
        Path = "/",
        MaxAge = PageSessions.Lifetime,
        // Behind a proxy that speaks TLS, only the browser knows that it does.
        Secure = request.Headers.Origin.ToString().StartsWith("https://", StringComparison.OrdinalIgnoreCase),
    };

    /// <summary>The words for who is refused: what to change.</summary>
    public string Words(Refusal refusal) => refusal switch
    {
        Refusal.Closed =>
            $"The status page is closed, because others can reach {address} and there is no token. Set bridge.page.token-file (BRIDGE_HTTP_TOKEN_FILE, or BRIDGE_HTTP_TOKEN), or serve bridge.http at the loopback.",
        Refusal.ForeignHost =>
            $"The Host header names neither the loopback nor {address}. Ask for it by that name, or set bridge.page.token-file.",
        Refusal.NoToken => "Show the token: sign in at /, or send the header Authorization: Bearer TOKEN.",
        Refusal.WrongToken => "That is not the token, or the session is over.",
        Refusal.CrossSite => "A page of another site asks for this.",
        _ => "The header Content-Type must say application/json.",
    };

    /// <summary>The status code for who is refused.</summary>
    public static int Status(Refusal refusal) => refusal switch
    {
        Refusal.NoToken or Refusal.WrongToken => StatusCodes.Status401Unauthorized,
        Refusal.NotJson => StatusCodes.Status415UnsupportedMediaType,
        _ => StatusCodes.Status403Forbidden,
    };

    private Refusal? OfToken(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        if (header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            return CryptographicOperations.FixedTimeEquals(Hash(header[Scheme.Length..].Trim()), token!) ? null : Refusal.WrongToken;
        if (request.Cookies[CookieName(request)] is { } session)
            return sessions.Holds(session) ? null : Refusal.WrongToken;
        return Refusal.NoToken;
    }

    private bool NamesThisMachine(HostString host)
    {
        var name = host.Host.Trim('[', ']');
        // Not everything below .localhost, of which a resolver may have its own idea.
        return name.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (System.Net.IPAddress.TryParse(name, out var ip) && System.Net.IPAddress.IsLoopback(ip))
            || name.Equals(address.Host, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Not sent by a browser for a page of another site: one says so in either header, or in none if it is old and the request a plain GET.</summary>
    private static bool IsSameSite(HttpRequest request)
    {
        var site = request.Headers["Sec-Fetch-Site"].ToString();
        if (site is not ("" or "same-origin" or "none"))
            return false;
        var origin = request.Headers.Origin.ToString();
        if (origin.Length == 0)
            return true;
        var authority = origin.IndexOf("://", StringComparison.Ordinal);
        return authority > 0 && origin[(authority + 3)..].Equals(request.Host.Value, StringComparison.OrdinalIgnoreCase);
    }

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
