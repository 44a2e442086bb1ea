using System.Globalization;
using System.Text;

namespace Bridge.TestKit;

/// <summary>A real Prosody (0.12) in the foreground, as whatever user the tests run as, root included.</summary>
public sealed class ProsodyServer : XmppServerProcess
{
    /// <summary>Chooses ports and writes the configuration and the accounts; starts nothing yet.</summary>
    public ProsodyServer(XmppServerOptions? options = null)
        : base("prosody", options ?? new XmppServerOptions())
    {
        if (Options.ComponentTls)
            throw new ArgumentException("Prosody has no TLS of its own for components.", nameof(options));
        Directory.CreateDirectory(Path.Combine(Process.Folder, "certs"));
        File.WriteAllText(ConfigurationFile, Configuration());
        foreach (var (user, password) in Users)
            WriteAccount(user, password);
    }

    /// <summary>Makes one and starts it.</summary>
    public static async Task<ProsodyServer> StartNewAsync(XmppServerOptions? options = null)
    {
        var server = new ProsodyServer(options);
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

    private string ConfigurationFile => Path.Combine(Process.Folder, "prosody.cfg.lua");

    private string DataFolder => Path.Combine(Process.Folder, "data");

    private protected override void Launch() => Process.Start("prosody", ["-F", "--config", ConfigurationFile]);

    private string Configuration()
    {
        string[] modules = ["disco", "ping", "presence", "message", "iq", "roster", "saslauth"];
        var enabled = modules.ToList();
        if (Options.AnswersUptime)
            enabled.Add("uptime");
        if (Options.StoresOffline)
            enabled.Add("offline");

        // run_as_root keeps Prosody from changing to the user "prosody", who could not read our folder.
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $$"""
            run_as_root = true
            data_path = "{{DataFolder}}"
            pidfile = "{{Path.Combine(Process.Folder, "prosody.pid")}}"
            log = { {{Options.LogLevel}} = "*console" }
            interfaces = { "127.0.0.1" }
            component_interfaces = { "127.0.0.1" }
            c2s_ports = { {{ClientPort}} }
            component_ports = { {{ComponentPort}} }
            c2s_direct_tls_ports = {}
            s2s_ports = {}
            http_ports = {}
            https_ports = {}
            modules_enabled = { {{Quoted(enabled)}} }
            modules_disabled = { "s2s", "tls"{{(Options.StoresOffline ? "" : ", \"offline\"")}} }
            c2s_require_encryption = false
            allow_unencrypted_plain_auth = true
            authentication = "internal_plain"
            storage = "internal"
            validate_from_addresses = {{(Options.ChecksFrom ? "true" : "false")}}
            component_conflict_resolve = "{{(Options.KicksOldComponent ? "kick_old" : "kick_new")}}"
            """);
        if (Options.StanzaSizeLimit is { } limit)
            text.AppendLine(CultureInfo.InvariantCulture, $"component_stanza_size_limit = {limit}");
        text.AppendLine(Options.ExtraConfiguration);
        text.AppendLine(CultureInfo.InvariantCulture, $"VirtualHost \"{Domain}\"");
        foreach (var component in Components)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"Component \"{component}\"");
            text.AppendLine(CultureInfo.InvariantCulture, $"  component_secret = \"{ComponentSecret}\"");
        }

        return text.ToString();
    }

    private void WriteAccount(string user, string password)
    {
        // Prosody's file store names folders and files by percent-encoding all but letters and digits.
        var folder = Directory.CreateDirectory(Path.Combine(DataFolder, Encode(Domain), "accounts")).FullName;
        File.WriteAllText(
            Path.Combine(folder, Encode(user) + ".dat"), $"return {{ [\"password\"] = \"{password}\"; }};\n");
    }

    private static string Quoted(IEnumerable<string> names) =>
        string.Join(", ", names.Select(name => $"\"{name}\""));

    private static string Encode(string name)
    {
        var encoded = new StringBuilder();
        foreach (var octet in Encoding.UTF8.GetBytes(name))
        {
            if (char.IsAsciiLetterOrDigit((char)octet))
                encoded.Append((char)octet);
            else
                encoded.Append(CultureInfo.InvariantCulture, $"%{octet:x2}");
        }

        return encoded.ToString();
    }
}
