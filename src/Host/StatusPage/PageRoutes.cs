using System.Net.Mime;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Bridge.Host.Configuration;
using Bridge.Host.Hosting;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Bridge.Host.StatusPage;

/// <summary>
/// The status page at <c>/</c> and what it asks for. Whatever path is not one of health or metrics is
/// refused to who may not see the page.
/// </summary>
internal sealed class PageRoutes(PageAccess access, PageFeed feed, History history, ConfiguredBridges bridges, DeadLetterApi dead)
{
    /// <summary>Bytes of a request's body at most; more is answered with 413.</summary>
    public const int MostBody = 16 * 1024;

    private static readonly Document Page = Document.Load("page.html", "connect-src 'self'; form-action 'none'", "no-referrer");
    // With no-referrer a browser would hide the form's origin as well, even from ourselves (Fetch, "append a request Origin header").
    private static readonly Document SignIn = Document.Load("signin.html", "form-action 'self'", "same-origin");
    private static readonly Document SignInAgain = SignIn.Replace("<p role=\"alert\" hidden>", "<p role=\"alert\">");

    /// <summary>Its routes, and who may take them.</summary>
    public void Map(WebApplication application)
    {
        application.Use(GuardAsync);
        application.MapGet("/", Page.SendAsync);
        application.MapGet("/api/history", AnswerHistoryAsync);
        application.MapGet("/api/events", feed.ServeAsync);
        application.MapGet("/api/dead", dead.ListAsync);
        application.MapPost("/api/dead/replay", dead.ReplayAsync);
        application.MapPost("/api/dead/purge", dead.PurgeAsync);
        application.MapPost("/session", SignInAsync);
        application.MapPost("/session/end", SignOutAsync);
    }

    private static bool IsOpen(PathString path) => path.StartsWithSegments("/health") || path.StartsWithSegments("/metrics");

    private async Task GuardAsync(HttpContext context, RequestDelegate next)
    {
        var (request, headers) = (context.Request, context.Response.Headers);
        headers.XContentTypeOptions = "nosniff";
        headers.CacheControl = "no-store";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.ContentSecurityPolicy = "default-src 'none'; frame-ancestors 'none'";
        if (IsOpen(request.Path))
        {
            await next(context);
            return;
        }

        // Who signs in has shown nothing yet; that route judges for itself.
        var isSignIn = request.Path == "/session" && HttpMethods.IsPost(request.Method);
        if (!isSignIn)
        {
            var refusal = access.OfReader(request);
            if (refusal is null && !HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method))
                refusal = PageAccess.OfChange(request);
            if (refusal is { } because)
            {
                await RefuseAsync(context, because);
                return;
            }
        }

        try
        {
            await next(context);
        }
        catch (Exception exception) when (exception is BadHttpRequestException or InvalidDataException && !context.Response.HasStarted)
        {
            context.Response.StatusCode = (exception as BadHttpRequestException)?.StatusCode ?? StatusCodes.Status400BadRequest;
        }
    }

    private Task RefuseAsync(HttpContext context, Refusal refusal)
    {
        context.Response.StatusCode = PageAccess.Status(refusal);
        if (refusal is Refusal.NoToken or Refusal.WrongToken)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer realm=\"bridge\"";
            if (context.Request.Path == "/")
                return SignIn.SendAsync(context);
        }

        context.Response.ContentType = MediaTypeNames.Text.Plain;
        return context.Response.WriteAsync(access.Words(refusal) + "\n");
    }

    private async Task SignInAsync(HttpContext context)
    {
        if (!access.HasToken && access.OfReader(context.Request) is null)
        {
            // It is open.
            context.Response.Redirect("/");
            return;
        }

        var form = context.Request.HasFormContentType ? await context.Request.ReadFormAsync(context.RequestAborted) : null;
        switch (access.TrySignIn(context.Request, form?["token"].ToString() ?? "", out var session))
        {
            case null:
                context.Response.Cookies.Append(PageAccess.CookieName(context.Request), session, PageAccess.CookieOptions(context.Request));
                context.Response.StatusCode = StatusCodes.Status303SeeOther;
                context.Response.Headers.Location = "/";
                break;
            case Refusal.WrongToken:
                context.Response.StatusCode = StatusCodes.Status401Unauthorized;
                await SignInAgain.SendAsync(context);
                break;
            case { } refusal:
                await RefuseAsync(context, refusal);
                break;
        }
    }

    private Task SignOutAsync(HttpContext context)
    {
        access.SignOut(context.Request);
        context.Response.Cookies.Delete(PageAccess.CookieName(context.Request), PageAccess.CookieOptions(context.Request));
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    /// <summary>The last hour of one bridge, column by column.</summary>
    private async Task AnswerHistoryAsync(HttpContext context)
    {
        var name = context.Request.Query["bridge"].ToString();
        if (bridges.Current.All(bridge => bridge.Name != name))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            await context.Response.WriteAsync("bridge must name one of this node's bridges.\n");
            return;
        }

        var samples = history.Of(name);
        context.Response.ContentType = MediaTypeNames.Application.Json;
        await using var writer = new Utf8JsonWriter(context.Response.BodyWriter);
        writer.WriteStartObject();
        writer.WriteString("bridge", name);
        Column("at", sample => sample.At);
        Column("confirmed", sample => sample.Confirmed);
        Column("confirmMean", sample => sample.ConfirmMean);
        Column("confirmMost", sample => sample.ConfirmMost);
        Column("roundTrip", sample => sample.RoundTrip);
        Column("queued", sample => sample.Queued);
        Column("oldest", sample => sample.Oldest);
        Column("unconfirmed", sample => sample.Unconfirmed);
        Column("window", sample => sample.Window);
        writer.WriteEndObject();

        void Column(string column, Func<Sample, double> value)
        {
            writer.WriteStartArray(column);
            foreach (var sample in samples)
            {
                var number = value(sample);
                if (double.IsNaN(number))
                    writer.WriteNullValue();
                else
                    writer.WriteNumberValue(Math.Round(number, 3));
            }

            writer.WriteEndArray();
        }
    }

    /// <summary>A document inside the program, whose style and script a browser runs because of their digests, and no others.</summary>
    private sealed record Document(string Text, string Policy, string Referrer)
    {
        public static Document Load(string name, string more, string referrer)
        {
            using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)
                ?? throw new InvalidOperationException($"{name} is missing from the program.");
            using var reader = new StreamReader(stream);
            var text = reader.ReadToEnd();
            return new Document(
                text,
                $"default-src 'none'; style-src {Digest(text, "style")}; script-src {Digest(text, "script")}; img-src data:; {more}; base-uri 'none'; "
                + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
                referrer);
        }

        public Document Replace(string old, string by) => this with { Text = Text.Replace(old, by, StringComparison.Ordinal) };

        public Task SendAsync(HttpContext context)
        {
            context.Response.ContentType = "text/html; charset=utf-8";
            context.Response.Headers.ContentSecurityPolicy = Policy;
            context.Response.Headers["Referrer-Policy"] = Referrer;
            context.Response.Headers["Cross-Origin-Opener-Policy"] = "same-origin";
            return context.Response.WriteAsync(Text, context.RequestAborted);
        }

        // CSP Level 3 §8.4: over the text between the tags.
        private static string Digest(string text, string element)
        {
            var start = text.IndexOf($"<{element}>", StringComparison.Ordinal);
            if (start < 0)
                return "'none'";
            start += element.Length + 2;
            var end = text.IndexOf($"</{element}>", start, StringComparison.Ordinal);
            return $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text[start..end])))}'";
        }
    }
}

/// <summary>Puts the status page into a host.</summary>
internal static class StatusPageServices
{
    /// <summary>The page, its history and its feed. To be called behind what serves HTTP: so the feed ends before HTTP does.</summary>
    public static IServiceCollection AddStatusPage(this IServiceCollection services, HostConfiguration configuration)
    {
        services.TryAddSingleton<PageAccess>(provider => new PageAccess(configuration.Http!, configuration.Page, provider.GetRequiredService<TimeProvider>()));
        return services
            .AddSingleton<History>()
            .AddSingleton<PageFeed>()
            .AddSingleton<DeadLetterApi>(provider => new DeadLetterApi(
                provider.GetRequiredService<ConfiguredBridges>(), configuration.Page, provider.GetRequiredService<ILoggerFactory>()))
            .AddSingleton<PageRoutes>()
            .AddHostedService(provider => provider.GetRequiredService<PageFeed>());
    }
}
