#!/usr/bin/env bash
# OpenTelemetry.Exporter.OpenTelemetryProtocol 1.20.1. Disposing a tracer provider exports the remaining spans. With
# OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY=in_memory, which Aspire sets for every project, this takes 5 s for traces alone if the collector is unreachable
# (a service that also has logs and metrics took 10 s): the export is retried during shutdown, as long as OTEL_EXPORTER_OTLP_TIMEOUT and the
# processor's own limit allow. Without the variable it fails at once.
# Seen: 0 s without retry, 5 s with it, 1 s with it and a timeout of 1000 ms.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
cat > Stop.csproj <<'P'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup><PackageReference Include="OpenTelemetry.Exporter.OpenTelemetryProtocol" Version="1.20.1" /></ItemGroup>
</Project>
P
cat > Program.cs <<'P'
using System.Diagnostics;
using OpenTelemetry;
using OpenTelemetry.Trace;

var source = new ActivitySource("a");
var provider = Sdk.CreateTracerProviderBuilder().AddSource("a").AddOtlpExporter().Build();
source.StartActivity("left over")!.Dispose();
var watch = Stopwatch.StartNew();
provider.Dispose();
Console.WriteLine(Math.Round(watch.Elapsed.TotalSeconds));
P
dotnet build --nologo -v q > build.log || { cat build.log; exit 1; }
stop() { env OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 "$@" dotnet exec bin/Debug/net10.0/Stop.dll; }
plain=$(stop env); retry=$(stop env OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY=in_memory)
short=$(stop env OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY=in_memory OTEL_EXPORTER_OTLP_TIMEOUT=1000)
echo "seconds to stop: $plain without retry, $retry with it, $short with it and a timeout of 1 s"
[ "$plain" -le 2 ] && [ "$retry" -ge 4 ] && [ "$short" -le 3 ]
