import { CommandError } from './command-error.ts';

/** Flags that depend on others. */
export interface DependentFlags {
  store: string;
  etcdPrefix?: string;
  etcdCafile?: string;
  etcdCertfile?: string;
  etcdKeyfile?: string;
  clusterKeyFile?: string;
  auditLogPath?: string;
  auditLogMaxsize?: string;
  auditLogMaxbackup?: string;
  auditLogMaxage?: string;
  auditWebhookConfigFile?: string;
  auditWebhookBatchMaxWait?: string;
}

/** Flags that say how something is done, when it is done at all, and by which flag that is told. */
const companions: { flags: (keyof DependentFlags)[]; isDone(given: DependentFlags): boolean; by: string }[] = [
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
  given: DependentFlags,
  syntaxes: readonly (readonly [name: string, syntax: string, ...unknown[]])[],
): void {
  for (const { flags, isDone, by } of companions) {
    if (isDone(given)) continue;
    const idle = syntaxes.filter(([name]) => flags.some((flag) => flag === name && given[flag] !== undefined));
    if (idle.length === 0) continue;
    const names = idle.map(([, syntax]) => syntax.split(' ')[0]).join(', ');
    throw new CommandError(`${names} ${idle.length === 1 ? 'does' : 'do'} nothing without ${by}`, 2);
  }
}
