// Each of these tests uses all processors by itself.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
