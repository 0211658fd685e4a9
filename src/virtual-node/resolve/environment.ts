import type { Container, EnvVar, EnvVarSource, Pod } from '../../api/generated/core-v1.ts';
import { escapeReferences, expand } from './expand.ts';
import { fieldValue, hostFields, resourceFieldValue } from './field-ref.ts';
import { Budget, bytesOf, type Lookups, ResolveError } from './lookups.ts';

/**
 * A container's environment with nothing left to look up, in the kubelet's order of precedence: env over envFrom over
 * services. A variable that only the host can know keeps its source, and values that refer to one keep that `$(NAME)`:
 * the host expands every value once more, so a dollar that is meant literally is written `$$`.
 * @throws ResolveError with upstream's message, which becomes the container's CreateContainerConfigError.
 */
export function containerEnvironment(
  pod: Pod,
  container: Container,
  serviceVariables: ReadonlyMap<string, string>,
  lookups: Lookups,
  budget: Budget = new Budget('environment'),
): EnvVar[] {
  for (const [name, value] of serviceVariables) budget.take(name.length + value.length);
  // A Map keeps a name where it was first set and lets a later value win, as the kubelet's does.
  const variables = new Map<string, EnvVar>();
  for (const source of container.envFrom ?? []) {
    for (const [key, value] of envFromValues(source, lookups)) {
      const name = `${source.prefix ?? ''}${key}`;
      budget.take(name.length + value.length);
      variables.set(name, { name, value: escapeReferences(value) });
    }
  }
  const lookUp = (name: string): string | undefined => {
    const known = variables.get(name);
    if (known?.valueFrom !== undefined) return `$(${name})`;
    return known === undefined ? serviceVariables.get(name) : known.value;
  };
  for (const variable of container.env ?? []) {
    const { name, value, valueFrom } = variable;
    if (value !== undefined && value !== '') {
      const expanded = expanding(value, lookUp);
      budget.take(name.length + expanded.length);
      variables.set(name, { name, value: expanded });
    } else if (valueFrom === undefined) variables.set(name, { name, value: '' });
    else if (isForHost(valueFrom)) {
      variables.set(name, { name, valueFrom });
    } else {
      const found = sourceValue(pod, container, valueFrom, lookups);
      if (found === undefined) continue;
      budget.take(name.length + found.length);
      variables.set(name, { name, value: escapeReferences(found) });
    }
  }
  for (const [name, value] of serviceVariables) if (!variables.has(name)) variables.set(name, { name, value });
  return [...variables.values()];
}

/** Addresses, and files that containers write. */
const isForHost = ({ fieldRef, fileKeyRef }: EnvVarSource): boolean =>
  fileKeyRef !== undefined || (fieldRef !== undefined && hostFields.has(fieldRef.fieldPath));

/** Each variable may say the one before it twice. */
function expanding(value: string, lookUp: (name: string) => string | undefined): string {
  try {
    return expand(value, lookUp, escapeReferences);
  } catch (error) {
    if (error instanceof RangeError) throw new ResolveError('the environment of the pod is too large');
    throw error;
  }
}

function envFromValues(
  source: NonNullable<Container['envFrom']>[number],
  lookups: Lookups,
): Iterable<[string, string]> {
  const { configMapRef, secretRef } = source;
  if (configMapRef !== undefined) {
    const name = configMapRef.name ?? '';
    const configMap = lookups.configMap(name);
    if (configMap === undefined && configMapRef.optional !== true) throw missing('configmap', name);
    return Object.entries(configMap?.data ?? {});
  }
  if (secretRef !== undefined) {
    const name = secretRef.name ?? '';
    const secret = lookups.secret(name);
    if (secret === undefined && secretRef.optional !== true) throw missing('secret', name);
    return Object.entries(secret?.data ?? {}).map(([key, value]) => [key, bytesOf(value).toString()]);
  }
  return [];
}

/** Undefined: optional and not there, so the variable is left out. */
function sourceValue(pod: Pod, container: Container, source: EnvVarSource, lookups: Lookups): string | undefined {
  const namespace = pod.metadata.namespace ?? '';
  if (source.fieldRef !== undefined) return fieldValue(pod, source.fieldRef.fieldPath);
  if (source.resourceFieldRef !== undefined) {
    const { containerName } = source.resourceFieldRef;
    const other = containerName ? containerNamed(pod, containerName) : container;
    return resourceFieldValue(pod, other, source.resourceFieldRef, lookups);
  }
  if (source.configMapKeyRef !== undefined) {
    const { name = '', key, optional } = source.configMapKeyRef;
    const configMap = lookups.configMap(name);
    if (configMap === undefined && optional !== true) throw missing('configmap', name);
    const value = configMap?.data?.[key];
    if (value !== undefined || optional === true) return value;
    throw new ResolveError(`couldn't find key ${key} in ConfigMap ${namespace}/${name}`);
  }
  if (source.secretKeyRef !== undefined) {
    const { name = '', key, optional } = source.secretKeyRef;
    const secret = lookups.secret(name);
    if (secret === undefined && optional !== true) throw missing('secret', name);
    const value = secret?.data?.[key];
    if (value !== undefined) return bytesOf(value).toString();
    if (optional === true) return undefined;
    throw new ResolveError(`couldn't find key ${key} in Secret ${namespace}/${name}`);
  }
  throw new ResolveError('the variable has no source that is known here');
}

export function containerNamed(pod: Pod, name: string): Container {
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const found = all.find((container) => container.name === name);
  if (found === undefined) throw new ResolveError(`container ${name} not found`);
  return found;
}

export const missing = (kind: 'configmap' | 'secret', name: string): ResolveError =>
  new ResolveError(`${kind} ${JSON.stringify(name)} not found`);
