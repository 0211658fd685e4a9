import type { Secret } from '../../api/generated/core-v1.ts';
import { SECRETS } from '../../api/resources.ts';
import { isConflict, isNotFound } from '../../api/status.ts';
import { epochMsOf } from '../../api/time.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Controller } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';

/** When a bootstrap token ends, epoch ms; undefined: never. One that cannot be read has ended. */
export function endOfTokenMs({ data }: Secret): number | undefined {
  const expiration = Buffer.from(data?.['expiration'] ?? '', 'base64').toString('utf8');
  if (expiration === '') return undefined;
  const atMs = epochMsOf(expiration);
  return Number.isNaN(atMs) ? 0 : atMs;
}

const isToken = ({ type, metadata }: Secret) =>
  type === 'bootstrap.kubernetes.io/token' && metadata.namespace === 'kube-system';

/** Deletes bootstrap tokens whose time is over. */
export function createBootstrapTokenCleaner({ informers, client }: ControllerDependencies): Controller {
  const secrets = informers.informer<Secret>(SECRETS, { tenant: ALL_TENANTS });
  return {
    name: 'token-cleaner-controller',
    workers: 2,
    watches: [
      {
        informer: secrets,
        handlers: (queue) => {
          const add = (secret: Secret) => {
            if (isToken(secret)) queue.add(keyOf(secret));
          };
          return { added: add, updated: (_: Secret, after: Secret) => add(after) };
        },
      },
    ],
    async reconcile(key, tools) {
      const secret = secrets.get(key);
      if (secret === undefined || !isToken(secret)) return;
      const endMs = endOfTokenMs(secret);
      if (endMs === undefined) return;
      if (endMs > tools.now()) return tools.queue.addAfter(key, endMs - tools.now());
      const { name, uid } = secret.metadata;
      try {
        await client.for(SECRETS, secret).delete(name, { preconditions: { uid } });
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
    },
  };
}
