import type { KubeObject } from '../../api/object.ts';
import { isTrue } from '../request-info.ts';
import type { ResourceRequest } from '../verbs/scope.ts';

const kinds: Record<string, string> = {
  'pods/exec': 'PodExecOptions',
  'pods/attach': 'PodAttachOptions',
  'pods/portforward': 'PodPortForwardOptions',
  'pods/proxy': 'PodProxyOptions',
  'services/proxy': 'ServiceProxyOptions',
  'nodes/proxy': 'NodeProxyOptions',
};

/** What a connection was asked with, in the form admission sees; undefined for what connects nothing. Source: core/v1. */
export function connectionOptionsOf({ context, definition, subresource }: ResourceRequest): KubeObject | undefined {
  const kind = definition.group === '' ? kinds[`${definition.resource}/${subresource?.name}`] : undefined;
  if (kind === undefined) return undefined;
  const { query, info } = context;
  const flag = (name: string, otherwise = false) => (query.has(name) ? isTrue(query.get(name)) : otherwise);
  const object: Record<string, unknown> = { kind, apiVersion: 'v1' };
  if (kind.endsWith('ProxyOptions')) {
    if (info.rest !== '') object['path'] = `/${info.rest}`;
  } else if (kind === 'PodPortForwardOptions') {
    const ports = query.getAll('ports').flatMap((text) => text.split(',').map(Number));
    if (ports.length > 0) object['ports'] = ports;
  } else {
    const isAttach = kind === 'PodAttachOptions';
    const flags = {
      stdin: flag('stdin'),
      stdout: flag('stdout', isAttach),
      stderr: flag('stderr', isAttach),
      tty: flag('tty'),
    };
    for (const [name, value] of Object.entries(flags)) if (value) object[name] = true;
    if (query.get('container')) object['container'] = query.get('container');
    if (!isAttach) object['command'] = query.getAll('command');
  }
  return object as KubeObject;
}
