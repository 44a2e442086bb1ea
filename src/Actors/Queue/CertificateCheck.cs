using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using StackExchange.Redis;

namespace Bridge.Queue;

/// <summary>
/// Judges the certificate of a Redis, and remembers in plain words why it refused one: the client passes on no more than that a
/// handshake failed.
/// </summary>
/// <remarks>Safe for use from several threads.</remarks>
internal sealed class CertificateCheck
{
    // Extended key usage of a TLS server (RFC 5280 §4.2.1.12).
    private static readonly Oid ServerAuthentication = new("1.3.6.1.5.5.7.3.1");

    private readonly X509Certificate2Collection? _authorities;
    private volatile string? _refusal;

    private CertificateCheck(X509Certificate2Collection? authorities) => _authorities = authorities;

    /// <summary>Why the last certificate was refused; null: it was not.</summary>
    public string? Refusal => _refusal;

    /// <summary>Puts a check into options that want TLS. Null where it is not for this to judge.</summary>
    /// <param name="options">The options.</param>
    /// <param name="caFile">PEM file with the authorities to trust; null: those of the system.</param>
    /// <exception cref="ArgumentException">The file cannot be read.</exception>
    public static CertificateCheck? AddTo(ConfigurationOptions options, string? caFile)
    {
        // An authority that the client is told of by its surroundings is the client's business (StackExchange.Redis, Configuration).
        if (!options.Ssl || (caFile is null && Environment.GetEnvironmentVariable("SERedis_IssuerCertPath") is { Length: > 0 }))
            return null;
        var check = new CertificateCheck(caFile is null ? null : Read(caFile));
        options.CertificateValidation += check.Judge;
        return check;
    }

    /// <summary>Before another attempt, which may fail for another reason.</summary>
    public void Forget() => _refusal = null;

    /// <summary>Whether to go on. A name that does not fit is refused whoever signed it.</summary>
    internal bool Judge(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        _refusal = Reason((sender as SslStream)?.TargetHostName ?? "", certificate as X509Certificate2, chain, errors);
        return _refusal is null;
    }

    private string? Reason(string host, X509Certificate2? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is null || errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable))
            return "Redis shows no certificate.";
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
            return $"The certificate of Redis is for {Names(certificate)}, not for {host}.";
        if (_authorities is null)
            return errors == SslPolicyErrors.None ? null : Flaw(certificate, chain?.ChainStatus ?? [], "of the system");
        using var own = new X509Chain();
        own.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        own.ChainPolicy.CustomTrustStore.AddRange(_authorities);
        own.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        own.ChainPolicy.ApplicationPolicy.Add(ServerAuthentication);
        // What the server sent of the way to its authority.
        if (chain is not null)
            own.ChainPolicy.ExtraStore.AddRange(chain.ChainPolicy.ExtraStore);
        return own.Build(certificate) ? null : Flaw(certificate, own.ChainStatus, "in redis-ca-file");
    }

    private static string Flaw(X509Certificate2 certificate, X509ChainStatus[] flaws, string authorities)
    {
        var found = flaws.Aggregate(X509ChainStatusFlags.NoError, (all, flaw) => all | flaw.Status);
        if (found.HasFlag(X509ChainStatusFlags.NotTimeValid))
            return $"The certificate of Redis is valid from {certificate.NotBefore.ToUniversalTime():u} to {certificate.NotAfter.ToUniversalTime():u}, not now.";
        const X509ChainStatusFlags unknown = X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain;
        return (found & unknown) != 0
            ? $"The certificate of Redis is signed by {certificate.Issuer}, which is none of the authorities {authorities}."
            : $"The certificate of Redis is not valid: {found}.";
    }

    private static string Names(X509Certificate2 certificate)
    {
        var names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>()
            .SelectMany(extension => extension.EnumerateDnsNames().Concat(extension.EnumerateIPAddresses().Select(address => address.ToString())))
            .ToList();
        return names.Count > 0 ? string.Join(", ", names) : certificate.Subject;
    }

    private static X509Certificate2Collection Read(string file)
    {
        try
        {
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPemFile(file);
            return authorities.Count > 0 ? authorities : throw new ArgumentException("The file of certificates holds none.", nameof(file));
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new ArgumentException("The file of certificates cannot be read.", nameof(file), e);
        }
    }
}
