import { CommandError } from './command-error.ts';
import type { ControlPlaneFlags } from './control-plane-settings.ts';

type Flag = keyof ControlPlaneFlags;

/** Flags that say how something is done, the one of which it is done, and how that is told. */
const companions: { flags: Flag[]; isDone(given: ControlPlaneFlags): boolean; by: string }[] = [
  {
    flags: ['etcdPrefix', 'etcdCafile', 'etcdCertfile', 'etcdKeyfile', 'clusterKeyFile'],
    isDone: ({ store }) => store !== 'lmdb',
    by: '--store etcd://HOST:PORT',
  },
  {
    flags: ['auditLogMaxsize', 'auditLogMaxbackup', 'auditLogMaxage'],
    isDone: ({ auditLogPath }) => auditLogPath !== undefined && auditLogPath !== '-',
    by: '--audit-log-path FILE',
  },
  {
    flags: ['auditWebhookBatchMaxWait'],
    isDone: ({ auditWebhookConfigFile }) => auditWebhookConfigFile !== undefined,
    by: '--audit-webhook-config-file',
  },
];

/**
 * Who gives such a flag believes that something is done which is not: an audit log is kept, or etcd is spoken to by TLS.
 * @throws CommandError
 */
export function refuseFlagsWithoutEffect(
  given: ControlPlaneFlags,
  syntaxes: readonly (readonly [name: Flag, syntax: string, ...unknown[]])[],
): void {
  for (const { flags, isDone, by } of companions) {
    if (isDone(given)) continue;
    const idle = syntaxes.filter(([name]) => flags.includes(name) && given[name] !== undefined);
    if (idle.length === 0) continue;
    const names = idle.map(([, syntax]) => syntax.split(' ')[0]).join(', ');
    throw new CommandError(`${names} ${idle.length === 1 ? 'does' : 'do'} nothing without ${by}`, 2);
  }
}
