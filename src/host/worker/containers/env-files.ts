import type { Container } from '../../../api/generated/core-v1.ts';
import { ContainerStartError } from './container-start-error.ts';

/** Reads a file of a volume of the pod; what containers make of the volume leads nowhere else. */
export type ReadVolumeFile = (volume: string, path: string) => Promise<string>;

/**
 * The container with its variables out of files (fileKeyRef), which other containers of the pod have written by now.
 * Source: KEP-3721 and the kubelet's makeEnvironmentVariables.
 */
export async function withFileVariables(container: Container, read: ReadVolumeFile): Promise<Container> {
  const { env } = container;
  if (!env?.some(({ valueFrom }) => valueFrom?.fileKeyRef !== undefined)) return container;
  const resolved: typeof env = [];
  for (const variable of env) {
    const source = variable.valueFrom?.fileKeyRef;
    if (source === undefined) {
      resolved.push(variable);
      continue;
    }
    const { volumeName, path, key, optional } = source;
    let value: string;
    try {
      value = envFileValue(await read(volumeName, path), key);
    } catch {
      throw new ContainerStartError('CreateContainerConfigError', "couldn't parse env file");
    }
    if (value !== '') {
      // Values are expanded once more.
      resolved.push({ name: variable.name, value: value.replaceAll('$', '$$$$') });
    } else if (optional !== true) {
      const message = `environment variable key ${JSON.stringify(key)} not found in file ${JSON.stringify(path)}`;
      throw new ContainerStartError('CreateContainerConfigError', message);
    }
  }
  return { ...container, env: resolved };
}

/**
 * The value of `key` in lines of `NAME='value'`, where a value may go over several lines; '' when it is not there.
 * @throws for a line of any other form before it. Source: kubelet/util/env.
 */
export function envFileValue(text: string, key: string): string {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!.replace(/^[ \t]+/, '');
    if (line === '' || line.startsWith('#')) continue;
    const wrong = (what: string) => new Error(`invalid environment variable format at line ${index + 1}: ${what}`);
    const equals = line.indexOf('=');
    if (equals < 0) throw wrong("missing '='");
    const name = line.slice(0, equals);
    if (name.trim() === '') throw wrong('empty variable name');
    if (/[ \t]$/.test(name)) throw wrong("whitespace before '=' is not allowed");
    let rest = line.slice(equals + 1);
    // As in a shell, what follows a blank is another word.
    if (/^[ \t]/.test(rest)) {
      if (name === key) return '';
      continue;
    }
    if (!rest.startsWith("'")) throw wrong('value must be enclosed in single quotes');
    rest = rest.slice(1);
    const value: string[] = [];
    let end = rest.indexOf("'");
    while (end < 0) {
      value.push(rest);
      index++;
      if (index >= lines.length) throw wrong('unclosed single quote');
      rest = lines[index]!;
      end = rest.indexOf("'");
    }
    value.push(rest.slice(0, end));
    if (!/^[ \t]*(#|$)/.test(rest.slice(end + 1))) throw wrong('unexpected content after closing quote');
    if (name === key) return value.join('\n');
  }
  return '';
}
