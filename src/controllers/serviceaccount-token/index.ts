import type { Secret, ServiceAccount } from '../../api/generated/core-v1.ts';
import { SECRETS, SERVICE_ACCOUNTS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import { TOKEN_SECRET_TYPE } from '../../api/well-known.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Controller } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';

const NAME_ANNOTATION = 'kubernetes.io/service-account.name';
const UID_ANNOTATION = 'kubernetes.io/service-account.uid';
const BY_ACCOUNT = 'serviceaccount-token/account';
/** As long as a token can be asked for: such a one ends with its secret. */
const longestSeconds = 2 ** 32;

const accountOf = ({ metadata }: Secret) => metadata.annotations?.[NAME_ANNOTATION] ?? '';
const decoded = (secret: Secret, key: string) => Buffer.from(String(secret.data?.[key] ?? ''), 'base64').toString();
const encoded = (text: string) => Buffer.from(text).toString('base64');

/**
 * Fills secrets of type service-account-token, and deletes them with their account. The token is bound to the secret,
 * so it ends with it.
 */
export function createServiceAccountTokenController(dependencies: ControllerDependencies, rootCa: string): Controller {
  const { informers, client } = dependencies;
  const secrets = informers.informer<Secret>(SECRETS, {
    tenant: ALL_TENANTS,
    indexes: {
      [BY_ACCOUNT]: (secret) =>
        secret.type === TOKEN_SECRET_TYPE
          ? [`${secret.metadata.clusterName}/${secret.metadata.namespace}/${accountOf(secret)}`]
          : [],
    },
  });
  const accounts = informers.informer<ServiceAccount>(SERVICE_ACCOUNTS, { tenant: ALL_TENANTS });

  async function accountFor(secret: Secret): Promise<ServiceAccount | undefined> {
    const { clusterName, namespace, annotations } = secret.metadata;
    try {
      // Only the server's word makes an account absent: the secret is deleted for it.
      const account = await client
        .resource<ServiceAccount>(clusterName!, SERVICE_ACCOUNTS, namespace)
        .get(accountOf(secret));
      const uid = annotations?.[UID_ANNOTATION];
      return uid === undefined || uid === '' || uid === account.metadata.uid ? account : undefined;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async function tokenFor(secret: Secret, account: ServiceAccount): Promise<string> {
    const { clusterName, namespace, name, uid } = secret.metadata;
    const answer = await client
      .resource<ServiceAccount>(clusterName!, SERVICE_ACCOUNTS, namespace)
      .createSubresource<{ status: { token: string } }>(account.metadata.name, 'token', {
        kind: 'TokenRequest',
        apiVersion: 'authentication.k8s.io/v1',
        spec: {
          audiences: [],
          expirationSeconds: longestSeconds,
          boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name, uid },
        },
      });
    return answer.status.token;
  }

  return {
    name: 'serviceaccount-token-controller',
    workers: 2,
    watches: [
      {
        informer: secrets,
        handlers: (queue) => {
          const wake = (secret: Secret) => {
            if (secret.type === TOKEN_SECRET_TYPE) queue.add(keyOf(secret));
          };
          return { added: wake, updated: (_: Secret, after: Secret) => wake(after) };
        },
      },
      {
        informer: accounts,
        handlers: (queue) => ({
          deleted: ({ metadata }: ServiceAccount) => {
            const account = `${metadata.clusterName}/${metadata.namespace}/${metadata.name}`;
            for (const secret of secrets.byIndex(BY_ACCOUNT, account)) queue.add(keyOf(secret));
          },
        }),
      },
    ],
    async reconcile(key) {
      const secret = secrets.get(key);
      if (secret?.type !== TOKEN_SECRET_TYPE || secret.metadata.deletionTimestamp !== undefined) return;
      const account = await accountFor(secret);
      const secretClient = client.for(SECRETS, secret);
      if (account === undefined) {
        const { name, uid } = secret.metadata;
        await secretClient.delete(name, { preconditions: { uid } }).catch((error) => {
          if (!isNotFound(error)) throw error;
        });
        return;
      }
      const hasToken = decoded(secret, 'token') !== '';
      const isWhole = hasToken && decoded(secret, 'ca.crt') === rootCa && decoded(secret, 'namespace') !== '';
      if (isWhole) return;
      await secretClient.update({
        ...secret,
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          ...secret.metadata,
          annotations: {
            ...secret.metadata.annotations,
            [NAME_ANNOTATION]: account.metadata.name,
            [UID_ANNOTATION]: account.metadata.uid,
          },
        },
        data: {
          ...secret.data,
          'ca.crt': encoded(rootCa),
          namespace: secret.data?.['namespace'] || encoded(secret.metadata.namespace!),
          token: hasToken ? secret.data!['token']! : encoded(await tokenFor(secret, account)),
        },
      });
    },
  };
}
