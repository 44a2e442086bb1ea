namespace Bridge.Connection;

/// <summary>
/// Adapts the window so that a barrier's round trip stays near a target: a slow link then has few
/// entries under way, and is not torn down for being slow. Pure.
/// </summary>
/// <param name="target">The round trip aimed at.</param>
/// <param name="maxEntries">The window's configured limit; the adapted one never exceeds it.</param>
/// <param name="minEntries">The adapted limit never falls below this: one barrier's worth.</param>
internal sealed class RoundTripControl(TimeSpan target, int maxEntries, int minEntries)
{
    private const double Growth = 1.25;
    private double _share = 1;

    /// <summary>The share of the configured limits in force, in (0, 1].</summary>
    public double Share => _share;

    /// <summary>Entries that may be unconfirmed.</summary>
    public int Entries => Math.Max(Math.Min(minEntries, maxEntries), (int)(maxEntries * _share));

    /// <summary>Takes a measured round trip in.</summary>
    /// <param name="roundTrip">From the barrier's write to its return.</param>
    /// <param name="windowWasFull">Whether the window bounded the flow; an idle stream says nothing about a larger window.</param>
    public void Measured(TimeSpan roundTrip, bool windowWasFull)
    {
        if (roundTrip > target)
            // At most halved by one measurement: one stall of the server must not empty the pipe.
            _share = Math.Max(_share * Math.Max(0.5, target / roundTrip), (double)minEntries / maxEntries);
        else if (windowWasFull && roundTrip < target / 2)
            _share = Math.Min(1, _share * Growth);
    }
}
