#!/usr/bin/env bash
# Aspire.Hosting 13.6.5. WithHttpProbe also adds a health check, under a key made of endpoint, path and status code. A startup probe and a
# liveness probe usually share a path; adding the second one throws because the key is taken.
# Seen: "Resource 'web' already has a health check with key 'web_http_/alive_200_check'."
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
cat > Host.csproj <<'P'
<Project Sdk="Aspire.AppHost.Sdk/13.6.4">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings><NoWarn>ASPIRE010;ASPIREPROBES001</NoWarn></PropertyGroup>
  <ItemGroup><PackageReference Include="Aspire.Hosting.AppHost" Version="13.6.5" /></ItemGroup>
</Project>
P
cat > Program.cs <<'P'
var web = DistributedApplication.CreateBuilder(args).AddExecutable("web", "web", ".").WithHttpEndpoint(name: "http").WithHttpProbe(ProbeType.Startup, "/alive");
try
{
    web.WithHttpProbe(ProbeType.Liveness, "/alive");
    Console.WriteLine("both probes were added");
}
catch (DistributedApplicationException e)
{
    Console.WriteLine(e.Message);
}
P
dotnet build --nologo -v q > build.log || { cat build.log; exit 1; }
seen=$(dotnet exec bin/Debug/net10.0/Host.dll); echo "$seen"
[ "$seen" = "Resource 'web' already has a health check with key 'web_http_/alive_200_check'." ]
