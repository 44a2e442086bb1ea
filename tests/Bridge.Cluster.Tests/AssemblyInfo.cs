// Each test has several processes of its own; most of its time is waiting for leases and failure detectors.
[assembly: CollectionBehavior(MaxParallelThreads = 2)]
