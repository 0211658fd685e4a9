import type { Service } from '../../api/generated/core-v1.ts';

/**
 * The variables that tell a container where services are: `FOO_SERVICE_HOST`, `FOO_SERVICE_PORT[_NAME]` and the older
 * `FOO_PORT_80_TCP…`. Source: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
export function serviceEnvironment(services: Iterable<Service>): Map<string, string> {
  const variables = new Map<string, string>();
  for (const service of services) {
    const own = variablesOf(service);
    for (let index = 0; index < own.length; index += 2) variables.set(own[index]!, own[index + 1]!);
  }
  return variables;
}

/** Names and values in turn, made once for each state of a service: all pods of its namespace get the same texts. */
const known = new WeakMap<Service, readonly string[]>();

function variablesOf(service: Service): readonly string[] {
  let variables = known.get(service);
  if (variables === undefined) known.set(service, (variables = describe(service)));
  return variables;
}

function describe({ metadata, spec }: Service): string[] {
  const variables: string[] = [];
  const address = spec?.clusterIP;
  const ports = spec?.ports ?? [];
  if (address === undefined || address === '' || address === 'None' || ports.length === 0) return variables;
  const prefix = variableName(metadata.name);
  variables.push(`${prefix}_SERVICE_HOST`, address);
  variables.push(`${prefix}_SERVICE_PORT`, String(ports[0]!.port));
  for (const { name, port } of ports) {
    if (name) variables.push(`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port));
  }
  ports.forEach(({ port, protocol = 'TCP' }, index) => {
    const lower = protocol.toLowerCase();
    const url = `${lower}://${address.includes(':') ? `[${address}]` : address}:${port}`;
    const portPrefix = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
    if (index === 0) variables.push(`${prefix}_PORT`, url);
    variables.push(portPrefix, url);
    variables.push(`${portPrefix}_PROTO`, lower);
    variables.push(`${portPrefix}_PORT`, String(port));
    variables.push(`${portPrefix}_ADDR`, address);
  });
  return variables;
}

const variableName = (name: string): string => name.replaceAll('-', '_').toUpperCase();
