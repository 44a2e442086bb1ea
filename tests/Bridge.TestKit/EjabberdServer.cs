using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Bridge.TestKit;

/// <summary>
/// A real ejabberd (23.01) as Debian packages it, run by Erlang directly: ejabberdctl would change to the user
/// ejabberd and its folders. Without a node name there is no distribution: no epmd, no cookie, and any number
/// of them run side by side.
/// </summary>
public sealed class EjabberdServer : XmppServerProcess
{
    private int _life;
    private Task<string> _registered = Task.FromCanceled<string>(new CancellationToken(true));

    /// <summary>Chooses ports and writes the configuration; starts nothing yet.</summary>
    public EjabberdServer(XmppServerOptions? options = null)
        : base("ejabberd", options ?? new XmppServerOptions())
    {
        if (Options.KicksOldComponent)
            throw new ArgumentException("ejabberd keeps both connections of a component.", nameof(options));
        if (ComponentTls)
            WriteCertificate();
        File.WriteAllText(ConfigurationFile, Configuration());
    }

    /// <summary>Makes one and starts it.</summary>
    public static async Task<EjabberdServer> StartNewAsync(XmppServerOptions? options = null)
    {
        var server = new EjabberdServer(options);
        try
        {
            await server.StartAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>The certificate (and key) of the component port, PEM; there with <see cref="XmppServerOptions.ComponentTls"/>.</summary>
    public string CertificateFile => Path.Combine(Process.Folder, "component.pem");

    private string ConfigurationFile => Path.Combine(Process.Folder, "ejabberd.yml");

    private string SpoolFolder => Path.Combine(Process.Folder, "spool");

    // ejabberd and the Erlang libraries it needs lie side by side in the folder of the machine's architecture.
    private static string LibraryFolder =>
        Directory.EnumerateDirectories("/usr/lib", "*-linux-gnu*")
            .FirstOrDefault(folder => Directory.EnumerateDirectories(folder, "ejabberd-*").Any())
        ?? throw new InvalidOperationException("ejabberd is not installed: apt-get install ejabberd");

    private protected override void Launch()
    {
        // Each life says so in its own words: the output holds those of the lives before.
        var started = $"accounts registered in life {++_life}";
        var accounts = string.Join(", ", Users.Select(user => $"{{{Binary(user.Key)}, {Binary(user.Value)}}}"));
        var register =
            $"[ejabberd_auth:try_register(U, {Binary(Domain)}, P) || {{U, P}} <- [{accounts}]], " +
            $"io:format(\"{started}~n\").";
        Process.Start(
            "erl",
            [
                // As ejabberdctl has it: kernel poll, many processes; no shell, nothing read from stdin.
                "+K", "true", "+P", "250000",
                "-noshell", "-noinput",
                "-mnesia", "dir", $"\"{SpoolFolder}\"",
                "-s", "ejabberd",
                "-eval", register,
            ],
            new Dictionary<string, string?>
            {
                ["EJABBERD_CONFIG_PATH"] = ConfigurationFile,
                ["EJABBERD_LOG_PATH"] = Path.Combine(Process.Folder, "ejabberd.log"),
                ["ERL_LIBS"] = LibraryFolder,
                ["HOME"] = Process.Folder,
                // A crash dump takes seconds to write, and its reader would be this test.
                ["ERL_CRASH_DUMP_SECONDS"] = "0",
            });
        _registered = Process.LineAsync(line => line == started, StartTimeout);
    }

    // The ports open before the accounts are there.
    private protected override bool IsUp() => _registered.IsCompletedSuccessfully;

    private string Configuration()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $$"""
            hosts: ["{{Domain}}"]
            loglevel: {{(Options.LogLevel == "warn" ? "warning" : Options.LogLevel)}}
            log_rotate_count: 0
            auth_method: mnesia
            acme:
              auto: false
            access_rules:
              everybody:
                allow: all
            shaper: {}
            listen:
              -
                port: {{ClientPort}}
                ip: "127.0.0.1"
                module: ejabberd_c2s
                access: everybody
              -
                port: {{ComponentPort}}
                ip: "127.0.0.1"
                module: ejabberd_service
                access: everybody
                check_from: {{(Options.ChecksFrom ? "true" : "false")}}
                global_routes: {{(Options.GlobalRoutes ? "true" : "false")}}
            """);
        if (Options.StanzaSizeLimit is { } limit)
            text.AppendLine(CultureInfo.InvariantCulture, $"    max_stanza_size: {limit}");
        if (ComponentTls)
        {
            text.AppendLine("    tls: true");
            text.AppendLine(CultureInfo.InvariantCulture, $"    certfile: \"{CertificateFile}\"");
        }

        text.AppendLine("    hosts:");
        foreach (var component in Components)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"      \"{component}\":");
            text.AppendLine(CultureInfo.InvariantCulture, $"        password: \"{ComponentSecret}\"");
        }

        text.AppendLine(Options.ExtraConfiguration);
        text.AppendLine("""
            modules:
              mod_disco: {}
              mod_ping: {}
              mod_roster: {}
            """);
        if (Options.AnswersUptime)
            text.AppendLine("  mod_last: {}");
        if (Options.StoresOffline)
            text.AppendLine("  mod_offline: {}");
        return text.ToString();
    }

    private void WriteCertificate()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        foreach (var component in Components)
            names.AddDnsName(component);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(
            DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        File.WriteAllText(
            CertificateFile, certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    private static string Binary(string text) => $"<<\"{text}\">>";
}
