namespace StatusUpdates.Tests.Architecture.Samples.B;

[C.Needed]
internal sealed class InAttribute;

internal sealed class Needed;
