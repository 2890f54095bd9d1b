namespace StatusUpdates.Tests.Architecture.Samples.A;

internal static class InAsyncLambda
{
    public static Func<int, Task<object>> Create() => async milliseconds =>
    {
        await Task.Delay(milliseconds);
        return new Composition { Needed = new B.Needed() };
    };
}

internal sealed class Needed;
