#!/usr/bin/env bash
# Aspire.Hosting 13.6.5. A project whose launch profile has only an http address gets an https endpoint when it is published, and WithHttpProbe without an
# endpoint name prefers it. The published environment has only HTTP_PORTS, so nothing listens at the probed address.
# Seen: the probe uses https; HTTP_PORTS is set, HTTPS_PORTS is not. In run mode the same call uses http.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
mkdir -p web/Properties host
cat > web/web.csproj <<'P'
<Project Sdk="Microsoft.NET.Sdk.Web"><PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup></Project>
P
echo 'Microsoft.AspNetCore.Builder.WebApplication.Create(args).Run();' > web/Program.cs
echo '{ "profiles": { "http": { "commandName": "Project", "applicationUrl": "http://localhost:5999" } } }' > web/Properties/launchSettings.json
cat > host/host.csproj <<'P'
<Project Sdk="Aspire.AppHost.Sdk/13.6.4">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings><NoWarn>ASPIRE010;ASPIREPROBES001</NoWarn></PropertyGroup>
  <ItemGroup><PackageReference Include="Aspire.Hosting.AppHost" Version="13.6.5" /><ProjectReference Include="../web/web.csproj" /></ItemGroup>
</Project>
P
cat > host/Program.cs <<'P'
var builder = DistributedApplication.CreateBuilder(args);
var web = builder.AddProject<Projects.web>("web").WithHttpProbe(ProbeType.Liveness, "/");
Console.WriteLine($"probe uses {web.Resource.Annotations.OfType<EndpointProbeAnnotation>().Single().EndpointReference.EndpointName}");
if (builder.ExecutionContext.IsPublishMode)
{
    await builder.Build().RunAsync();
}
P
dotnet build host --nologo -v q > build.log || { cat build.log; exit 1; }
run=$(dotnet exec host/bin/Debug/net10.0/host.dll | head -1)
published=$(dotnet exec host/bin/Debug/net10.0/host.dll --publisher manifest --output-path "$folder/manifest.json" | head -1)
echo "run mode: $run; published: $published; $(grep -o '"HTTPS*_PORTS": "[^"]*"' manifest.json)"
[ "$run" = "probe uses http" ] && [ "$published" = "probe uses https" ] && grep -q HTTP_PORTS manifest.json && ! grep -q HTTPS_PORTS manifest.json
