import type { Twin } from '../../twin.ts';
import { configMap } from '../objects.ts';

/** What a body says that it is. */
export async function contentTypes(twin: Twin, maps: string, namespace: string): Promise<void> {
  for (const type of [
    '',
    'text/plain',
    'application/xml',
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'application/yaml',
    'text/yaml',
    'application/x-yaml',
    'application/vnd.kubernetes.protobuf',
    'application/cbor',
    'application/merge-patch+json',
    'multipart/form-data',
    'application/json,application/yaml',
    'garbage',
    ';',
    'application/json;as=x',
  ]) {
    await twin.ask(`create with type ${type || 'none'}`, {
      method: 'POST',
      path: `${maps}?dryRun=All`,
      body: configMap('typed'),
      type,
    });
    await twin.ask(`update with type ${type || 'none'}`, {
      method: 'PUT',
      path: `${maps}/a?dryRun=All`,
      body: configMap('a'),
      type,
    });
    await twin.ask(`patch with type ${type || 'none'}`, {
      method: 'PATCH',
      path: `${maps}/a?dryRun=All`,
      body: configMap('a'),
      type,
    });
    await twin.prepare({ method: 'POST', path: maps, body: configMap('del') });
    await twin.ask(`delete with type ${type || 'none'}`, { method: 'DELETE', path: `${maps}/del`, body: {}, type });
    await twin.ask(`apply status with type ${type || 'none'}`, {
      method: 'PATCH',
      path: `/api/v1/namespaces/${namespace}/status?dryRun=All`,
      body: {},
      type,
    });
  }
}
