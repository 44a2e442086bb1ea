using System.Globalization;
using System.Text.RegularExpressions;
using Akka.Configuration;
using Akka.Configuration.Hocon;

namespace Bridge.Host.Configuration;

/// <summary>Reads HOCON into <see cref="ConfigurationSection" />s. Pure.</summary>
internal static partial class HoconText
{
    /// <summary>What a HOCON text says.</summary>
    /// <param name="Root">Everything in it.</param>
    /// <param name="Config">The same for Akka.</param>
    public sealed record Parsed(ConfigurationSection Root, Config Config);

    /// <summary>
    /// Parses one file. A text that cannot be parsed gives a mistake, with the line where it can
    /// be told, and null.
    /// </summary>
    public static Parsed? Parse(ConfigurationText file, List<ConfigurationMistake> mistakes)
    {
        // Akka's parser stops without a word at a surplus '}' and does not miss one that lacks, so
        // that half a file would be ignored.
        if (FindImbalance(file.Text) is { } imbalance)
        {
            mistakes.Add(new(file.Name, imbalance, "HOCON", file.Name));
            return null;
        }

        try
        {
            var config = string.IsNullOrWhiteSpace(file.Text) ? ConfigurationFactory.Empty : ConfigurationFactory.ParseString(file.Text);
            var root = config.Root is { } value && value.IsObject()
                ? Section("", file.Name, value.GetObject())
                : ConfigurationSection.Empty("");
            return new Parsed(root, config);
        }
#pragma warning disable CA1031 // Akka's parser throws plain Exception, FormatException and NullReferenceException, all for bad text.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            mistakes.Add(new(file.Name, Describe(exception, file.Text), "HOCON", file.Name));
            return null;
        }
    }

    private static ConfigurationSection Section(string key, string file, HoconObject section)
    {
        var children = new Dictionary<string, ConfigurationNode>(StringComparer.Ordinal);
        foreach (var (name, value) in section.Items)
        {
            var childKey = key.Length == 0 ? name : key + "." + name;
            if (value.IsObject())
                children[name] = Section(childKey, file, value.GetObject());
            // Not IsArray(), to which an empty list is none.
            else if (value.Values.Count > 0 && value.Values[0].IsArray())
                children[name] = new ConfigurationValue(childKey, file, null, [.. value.GetArray().Select(item => item.GetString() ?? "")]);
            else if (value.GetString() is { } text)
                children[name] = new ConfigurationValue(childKey, file, text, null);
        }

        return new ConfigurationSection(key, file, children);
    }

    /// <summary>The words for the operator: the line's number, but not its text, which may hold a password.</summary>
    private static string Describe(Exception exception, string text)
    {
        if (exception is NullReferenceException || exception.Message.Contains("include", StringComparison.OrdinalIgnoreCase))
            return "an include, which is not supported; give several files instead";
        if (UnresolvedSubstitution().Match(exception.Message) is { Success: true } substitution)
            return $"the substitution ${{{substitution.Groups[1].Value}}}, which this file does not define";
        if (UnknownToken().Match(exception.Message) is { Success: true } token
            && int.Parse(token.Groups[1].ValueSpan, CultureInfo.InvariantCulture) is var position
            && position < text.Length)
        {
            var line = text.AsSpan(0, position).Count('\n') + 1;
            // Akka's HOCON takes no comma behind a section, and ends an unquoted value at these.
            var hint = text[position] switch
            {
                ',' => "a ',' behind a section; put each section on a line of its own",
                _ => "something that is not HOCON; a value with ':' or ',' in it must stand in quotes",
            };
            return string.Create(CultureInfo.InvariantCulture, $"in line {line} {hint}");
        }

        // Akka gives no position for the rest, of which this is the commonest.
        var lines = text.Split('\n');
        var suspect = Array.FindIndex(lines, line => UnquotedColon().IsMatch(line));
        return suspect < 0
            ? "something that is not HOCON"
            : string.Create(CultureInfo.InvariantCulture, $"in line {suspect + 1} something that is not HOCON; a value with ':' or ',' in it must stand in quotes");
    }

    /// <summary>The first brace or bracket that has no partner, the first text that does not end, or null.</summary>
    private static string? FindImbalance(string text)
    {
        var open = new Stack<(char Close, int Line)>();
        var line = 1;
        for (var i = 0; i < text.Length; i++)
        {
            switch (text[i])
            {
                case '\n':
                    line++;
                    break;
                case '#':
                case '/' when i + 1 < text.Length && text[i + 1] == '/':
                    while (i + 1 < text.Length && text[i + 1] != '\n')
                        i++;
                    break;
                case '"':
                    var began = line;
                    var triple = text.AsSpan(i).StartsWith("\"\"\"", StringComparison.Ordinal);
                    i = triple ? EndOfTriple(text, i, ref line) : EndOfQuoted(text, i);
                    if (i < 0)
                        return At("a text that does not end", began);
                    break;
                case '$' when text.AsSpan(i).StartsWith("${?", StringComparison.Ordinal):
                    return At("an optional substitution ${?…}, which is not supported; use the environment variables of `bridge run --help`", line);
                case '{' or '[':
                    open.Push((text[i] == '{' ? '}' : ']', line));
                    break;
                case '}' or ']':
                    if (open.Count == 0 || open.Peek().Close != text[i])
                        return At($"a '{text[i]}' without its partner", line);
                    open.Pop();
                    break;
            }
        }

        return open.TryPop(out var unclosed) ? At($"a '{(unclosed.Close == '}' ? '{' : '[')}' without its partner", unclosed.Line) : null;

        static string At(string what, int line) => string.Create(CultureInfo.InvariantCulture, $"{what}, in line {line}");
    }

    private static int EndOfQuoted(string text, int start)
    {
        for (var i = start + 1; i < text.Length && text[i] != '\n'; i++)
        {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                return i;
        }

        return -1;
    }

    private static int EndOfTriple(string text, int start, ref int line)
    {
        var end = text.IndexOf("\"\"\"", start + 3, StringComparison.Ordinal);
        if (end < 0)
            return -1;
        line += text.AsSpan(start, end - start).Count('\n');
        return end + 2;
    }

    [GeneratedRegex(@"^Unresolved substitution: (\S+)")]
    private static partial Regex UnresolvedSubstitution();

    [GeneratedRegex("""^[^"#]*=[^"#\[{]*:""")]
    private static partial Regex UnquotedColon();

    [GeneratedRegex(@"^Unknown token at position (\d{1,9}):")]
    private static partial Regex UnknownToken();
}
