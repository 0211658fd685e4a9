import type { Service } from '../../api/generated/core-v1.ts';

/**
 * The variables that tell a container where services are: `FOO_SERVICE_HOST`, `FOO_SERVICE_PORT[_NAME]` and the older
 * `FOO_PORT_80_TCP…`. Source: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
export function serviceEnvironment(services: Iterable<Service>): Map<string, string> {
  const variables = new Map<string, string>();
  for (const { metadata, spec } of services) {
    const address = spec?.clusterIP;
    const ports = spec?.ports ?? [];
    if (address === undefined || address === '' || address === 'None' || ports.length === 0) continue;
    const prefix = variableName(metadata.name);
    variables.set(`${prefix}_SERVICE_HOST`, address);
    variables.set(`${prefix}_SERVICE_PORT`, String(ports[0]!.port));
    for (const { name, port } of ports) {
      if (name) variables.set(`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port));
    }
    ports.forEach(({ port, protocol = 'TCP' }, index) => {
      const lower = protocol.toLowerCase();
      const url = `${lower}://${address.includes(':') ? `[${address}]` : address}:${port}`;
      const portPrefix = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
      if (index === 0) variables.set(`${prefix}_PORT`, url);
      variables.set(portPrefix, url);
      variables.set(`${portPrefix}_PROTO`, lower);
      variables.set(`${portPrefix}_PORT`, String(port));
      variables.set(`${portPrefix}_ADDR`, address);
    });
  }
  return variables;
}

const variableName = (name: string): string => name.replaceAll('-', '_').toUpperCase();
