import type { KubeObject } from '../../api/object.ts';
import { StatusError } from '../../api/status.ts';
import type { Answer } from '../answer.ts';
import type { Environment } from '../environment.ts';
import { madeList } from '../made-list.ts';
import type { ResourceRequest } from '../verbs/scope.ts';

/** GET of componentstatuses, deprecated upstream: the store is what it can truly speak of. */
export async function componentStatuses(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { definition, name, context } = request;
  let healthy = true;
  let message = 'ok';
  try {
    await environment.objects.fresh({ group: '', resource: 'namespaces' });
  } catch (error) {
    healthy = false;
    message = (error as Error).message;
  }
  const store = {
    kind: 'ComponentStatus',
    apiVersion: 'v1',
    metadata: { name: 'etcd-0' },
    conditions: [{ type: 'Healthy', status: healthy ? 'True' : 'False', message }],
  } as unknown as KubeObject;
  if (context.info.verb === 'get') {
    if (name !== store.metadata.name) {
      const details = { name, kind: 'componentstatus' };
      throw new StatusError(404, 'NotFound', `componentstatus ${JSON.stringify(name)} not found`, details);
    }
    return { type: 'object', code: 200, object: store, definition };
  }
  return madeList(request, [store]);
}
