import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { AuthenticationConfiguration } from '../api/authentication/configuration.ts';
import { quantityValue } from '../api/quantity.ts';
import type { AuditOptions } from '../apiserver/audit/audit.ts';
import { loadPolicy } from '../apiserver/audit/policy.ts';
import { parseAuthenticationConfiguration } from '../apiserver/identity/oidc/configuration-file.ts';
import { TokenIssuers } from '../apiserver/identity/token-issuers.ts';
import type { TenantLimits } from '../apiserver/tenants/tenant-limits.ts';
import type { EgressOptions } from '../apiserver/webhooks/egress.ts';
import { readReviewServer } from '../apiserver/webhooks/review-client.ts';
import type { EtcdTls } from '../store/etcd/connection.ts';
import type { EtcdStoreOptions } from '../store/etcd/etcd-store.ts';
import { isNodeResource, type NodeCapacity } from '../virtual-node/index.ts';
import { type AccessFlags, type AccessSettings, accessFlags, parseAccess, repeatableFlags } from './access-settings.ts';
import { CommandError } from './command-error.ts';
import { type DepartureFlags, type DepartureSettings, departureFlags, parseDeparture } from './departure-settings.ts';
import { type EncryptionSettings, readEncryption } from './encryption-at-rest.ts';
import { type EtcdTlsFiles, readEtcdTls } from './etcd-tls.ts';
import { type DependentFlags, refuseFlagsWithoutEffect } from './flags-without-effect.ts';
import type { ListenAddress } from './listen-address.ts';
import type { AccessFiles } from './reload-access.ts';
import { parseServers } from './server-endpoint.ts';

/** What `up` hands on to the control plane it starts; names of options as of kube-apiserver where it has them. */
export interface ControlPlaneFlags extends AccessFlags, DepartureFlags, DependentFlags {
  encryptionProviderConfig?: string;
  encryptionProviderConfigAutomaticReload?: string | boolean;
  authenticationConfig?: string;
  peers?: string;
  leaderElectLeaseDuration: string;
  leaderElectRenewDeadline: string;
  leaderElectRetryPeriod: string;
  auditPolicyFile?: string;
  webhookEgress?: string;
  tenantMaxObjects?: string;
  tenantMaxBytes?: string;
  nodeCapacity?: string;
  legacyServiceAccountTokenCleanUpPeriod?: string;
}

const flags: [keyof ControlPlaneFlags, string, string, string?][] = [
  ['store', '--store <url>', 'lmdb (in the data directory), or etcd://HOST:PORT[,HOST:PORT…] for several', 'lmdb'],
  ['etcdPrefix', '--etcd-prefix <prefix>', 'what keys in etcd begin with (default: /skypod)'],
  ['etcdCafile', '--etcd-cafile <file>', 'authority of etcd, which is then reached by TLS'],
  ['etcdCertfile', '--etcd-certfile <file>', 'client certificate for etcd'],
  ['etcdKeyfile', '--etcd-keyfile <file>', 'key of the client certificate for etcd'],
  ['clusterKeyFile', '--cluster-key-file <file>', 'opens the identity that control planes share through etcd'],
  [
    'encryptionProviderConfig',
    '--encryption-provider-config <file>',
    'which resources are stored encrypted, and how (EncryptionConfiguration)',
  ],
  [
    'encryptionProviderConfigAutomaticReload',
    '--encryption-provider-config-automatic-reload [true|false]',
    'changes of that file hold without a start anew',
  ],
  [
    'authenticationConfig',
    '--authentication-config <file>',
    'OpenID Connect issuers that every tenant trusts (AuthenticationConfiguration)',
  ],
  ...accessFlags,
  ['peers', '--peers <urls>', 'URLs of the other control planes, for kubeconfigs and the host'],
  [
    'leaderElectLeaseDuration',
    '--leader-elect-lease-duration <time>',
    'how long others wait for a silent leader',
    '15s',
  ],
  [
    'leaderElectRenewDeadline',
    '--leader-elect-renew-deadline <time>',
    'when a leader that cannot renew steps down',
    '10s',
  ],
  ['leaderElectRetryPeriod', '--leader-elect-retry-period <time>', 'how often leadership is asked for', '2s'],
  ...departureFlags,
  ['auditPolicyFile', '--audit-policy-file <file>', 'what the audit log records (Policy of audit.k8s.io/v1)'],
  ['auditLogPath', '--audit-log-path <file>', 'where the audit log is written; - is standard output'],
  ['auditLogMaxsize', '--audit-log-maxsize <MiB>', 'size at which the audit log is put aside'],
  ['auditLogMaxbackup', '--audit-log-maxbackup <count>', 'how many audit logs put aside are kept; 0: all'],
  ['auditLogMaxage', '--audit-log-maxage <days>', 'how long audit logs put aside are kept; 0: for ever'],
  ['auditWebhookConfigFile', '--audit-webhook-config-file <file>', 'kubeconfig of a server that gets the audit events'],
  [
    'auditWebhookBatchMaxWait',
    '--audit-webhook-batch-max-wait <time>',
    'how long an event waits for others (default: 30s)',
  ],
  [
    'webhookEgress',
    '--webhook-egress <where>',
    "where webhooks and issuers that tenants name by a URL may be: public addresses, or any (this machine's and private networks too)",
    'public',
  ],
  ['tenantMaxObjects', '--tenant-max-objects <count>', 'how many objects a tenant may store (spec.limits of a Tenant)'],
  ['tenantMaxBytes', '--tenant-max-bytes <quantity>', 'how much a tenant may store, as 2Gi'],
  [
    'nodeCapacity',
    '--node-capacity <list>',
    'what each virtual node shows of itself, as cpu=64,memory=256Gi (default: practically unlimited)',
  ],
  [
    'legacyServiceAccountTokenCleanUpPeriod',
    '--legacy-service-account-token-clean-up-period <time>',
    'how long a long-lived service account token that was made by itself may go unused (default: 8760h)',
  ],
];

export function addControlPlaneOptions(command: Command): Command {
  for (const [name, syntax, description, fallback] of flags) {
    if (repeatableFlags.has(name)) command.option(syntax, description, joined);
    else command.option(syntax, description, fallback);
  }
  return command;
}

const joined = (value: string, before: string | undefined) => (before === undefined ? value : `${before},${value}`);

/** The same options as arguments of a child process. */
export function controlPlaneArguments(given: ControlPlaneFlags): string[] {
  return flags.flatMap(([name, syntax]) =>
    given[name] === undefined ? [] : [syntax.split(' ')[0]!, String(given[name])],
  );
}

export interface ControlPlaneSettings {
  /** undefined: lmdb, which one process has to itself. */
  etcd: EtcdStoreOptions | undefined;
  /** undefined: etcd is not reached by TLS. */
  etcdTlsFiles: EtcdTlsFiles | undefined;
  clusterKeyFile: string | undefined;
  /** undefined: everything is stored as it is. */
  encryption: EncryptionSettings | undefined;
  /** undefined: no issuers but those of single tenants. */
  authentication: AuthenticationConfiguration | undefined;
  access: AccessSettings;
  /** Read anew when they change. */
  accessFiles: AccessFiles;
  peers: ListenAddress[];
  /** undefined: no audit log. */
  audit: AuditOptions | undefined;
  webhookEgress: EgressOptions;
  tenantLimits: Partial<TenantLimits>;
  nodeCapacity: NodeCapacity;
  /** undefined: as the controller has it. */
  legacyTokenCleanUpMs: number | undefined;
  election: { leaseDurationMs: number; renewDeadlineMs: number; retryPeriodMs: number };
  departure: DepartureSettings;
}

/** @throws CommandError for what cannot be meant */
export function parseControlPlaneFlags(given: ControlPlaneFlags): ControlPlaneSettings {
  refuseFlagsWithoutEffect(given, flags);
  const election = {
    leaseDurationMs: parseDuration('--leader-elect-lease-duration', given.leaderElectLeaseDuration),
    renewDeadlineMs: parseDuration('--leader-elect-renew-deadline', given.leaderElectRenewDeadline),
    retryPeriodMs: parseDuration('--leader-elect-retry-period', given.leaderElectRetryPeriod),
  };
  if (election.leaseDurationMs <= election.renewDeadlineMs)
    throw new CommandError('--leader-elect-lease-duration must be longer than --leader-elect-renew-deadline');
  if (election.renewDeadlineMs <= election.retryPeriodMs * 1.2)
    throw new CommandError('--leader-elect-renew-deadline must be longer than 1.2 times --leader-elect-retry-period');
  const access = parseAccess(given, parseDuration);
  return {
    etcd: given.store === 'lmdb' ? undefined : parseEtcd(given),
    etcdTlsFiles: etcdTlsFiles(given),
    clusterKeyFile: given.clusterKeyFile,
    encryption: parseEncryption(given),
    authentication:
      given.authenticationConfig === undefined
        ? undefined
        : readAuthentication(given.authenticationConfig, new TokenIssuers(access.tokenIssuers)),
    access,
    accessFiles: {
      serviceAccounts: new TokenIssuers(access.tokenIssuers),
      ...(given.authenticationConfig !== undefined && { authentication: given.authenticationConfig }),
      ...(given.authorizationConfig !== undefined && { authorization: given.authorizationConfig }),
    },
    peers: given.peers === undefined ? [] : parseServers('--peers', given.peers),
    audit: parseAudit(given),
    webhookEgress: parseEgress(given.webhookEgress ?? 'public'),
    tenantLimits: parseTenantLimits(given),
    nodeCapacity: parseNodeCapacity(given.nodeCapacity ?? ''),
    legacyTokenCleanUpMs:
      given.legacyServiceAccountTokenCleanUpPeriod === undefined
        ? undefined
        : parseDuration('--legacy-service-account-token-clean-up-period', given.legacyServiceAccountTokenCleanUpPeriod),
    election,
    departure: parseDeparture(given, parseDuration),
  };
}

function parseEgress(where: string): EgressOptions {
  if (where !== 'public' && where !== 'any')
    throw new CommandError(`--webhook-egress ${where} is not known: public, or any`);
  return { allowPrivateAddresses: where === 'any' };
}

function parseTenantLimits({ tenantMaxObjects, tenantMaxBytes }: ControlPlaneFlags): Partial<TenantLimits> {
  if (tenantMaxObjects !== undefined && !/^\d{1,9}$/.test(tenantMaxObjects))
    throw new CommandError(`--tenant-max-objects ${tenantMaxObjects} is not a whole number`);
  let bytes: number | undefined;
  try {
    if (tenantMaxBytes !== undefined) bytes = quantityValue(tenantMaxBytes);
  } catch {
    throw new CommandError(`--tenant-max-bytes ${tenantMaxBytes} is not a quantity (for example 2Gi)`);
  }
  return {
    ...(tenantMaxObjects !== undefined && { objects: Number(tenantMaxObjects) }),
    ...(bytes !== undefined && { bytes }),
  };
}

function parseNodeCapacity(list: string): NodeCapacity {
  const capacity: NodeCapacity = {};
  for (const part of list === '' ? [] : list.split(',')) {
    const [name = '', quantity = ''] = part.split('=');
    if (!isNodeResource(name) || !isQuantity(quantity))
      throw new CommandError(`--node-capacity ${part} is not known (for example cpu=64,memory=256Gi)`);
    capacity[name] = quantity;
  }
  return capacity;
}

function isQuantity(text: string): boolean {
  try {
    return quantityValue(text) > 0;
  } catch {
    return false;
  }
}

function parseAudit(given: ControlPlaneFlags): AuditOptions | undefined {
  const { auditPolicyFile: policyFile, auditLogPath: logPath, auditWebhookConfigFile: webhookFile } = given;
  if (policyFile === undefined && logPath === undefined && webhookFile === undefined) return undefined;
  if (policyFile === undefined || (logPath === undefined && webhookFile === undefined))
    throw new CommandError('--audit-policy-file goes with --audit-log-path or --audit-webhook-config-file');
  const whole = (option: string, text: string | undefined) => {
    if (text !== undefined && !/^\d{1,9}$/.test(text))
      throw new CommandError(`${option} ${text} is not a whole number`);
    return Number(text ?? 0);
  };
  try {
    loadPolicy(policyFile);
  } catch (error) {
    throw new CommandError(`--audit-policy-file: ${(error as Error).message}`);
  }
  return {
    policyFile,
    ...(logPath !== undefined && { logPath }),
    ...(webhookFile !== undefined && { webhook: auditWebhook(webhookFile, given.auditWebhookBatchMaxWait ?? '30s') }),
    logMaxAge: whole('--audit-log-maxage', given.auditLogMaxage),
    logMaxSize: whole('--audit-log-maxsize', given.auditLogMaxsize),
    logMaxBackup: whole('--audit-log-maxbackup', given.auditLogMaxbackup),
  };
}

function auditWebhook(path: string, wait: string): NonNullable<AuditOptions['webhook']> {
  const maxWaitMs = parseDuration('--audit-webhook-batch-max-wait', wait);
  try {
    return { server: readReviewServer(path), maxWaitMs };
  } catch (error) {
    throw new CommandError(`--audit-webhook-config-file ${path}: ${(error as Error).message}`);
  }
}

function parseEncryption(given: ControlPlaneFlags): EncryptionSettings | undefined {
  const option = '--encryption-provider-config-automatic-reload';
  const path = given.encryptionProviderConfig;
  const reload = String(given.encryptionProviderConfigAutomaticReload ?? false);
  if (reload !== 'true' && reload !== 'false')
    throw new CommandError(`${option} ${reload} is not known: true or false`);
  if (path !== undefined) return readEncryption(path, reload === 'true');
  if (reload === 'true') throw new CommandError(`${option} must be set with --encryption-provider-config`, 2);
  return undefined;
}

function readAuthentication(path: string, serviceAccounts: TokenIssuers): AuthenticationConfiguration {
  try {
    return parseAuthenticationConfiguration(readFileSync(path, 'utf8'), serviceAccounts);
  } catch (error) {
    throw new CommandError(`--authentication-config ${path}: ${(error as Error).message}`);
  }
}

function parseEtcd(given: ControlPlaneFlags): EtcdStoreOptions {
  const match = /^etcd:\/\/([^/?#@]+)\/?$/.exec(given.store);
  const endpoints = (match?.[1] ?? '').split(',').filter((endpoint) => endpoint !== '');
  if (endpoints.length === 0 || endpoints.some((endpoint) => !/^(\[[^\]]+\]|[^:[\]]+):\d{1,5}$/.test(endpoint)))
    throw new CommandError(`--store ${given.store} is not known: lmdb, or etcd://HOST:PORT[,HOST:PORT…]`);
  const prefix = (given.etcdPrefix ?? '/skypod').replace(/\/+$/, '');
  if (!/^\/[\x20-\x7e]+$/.test(prefix)) throw new CommandError('--etcd-prefix wants a path, as /skypod');
  const tls = readTls(given);
  return { endpoints, prefix, ...(tls !== undefined && { tls }) };
}

function etcdTlsFiles(given: ControlPlaneFlags): EtcdTlsFiles | undefined {
  const { etcdCafile: ca, etcdCertfile: cert, etcdKeyfile: key } = given;
  if ((cert === undefined) !== (key === undefined))
    throw new CommandError('--etcd-certfile and --etcd-keyfile go together');
  if (ca === undefined && cert === undefined) return undefined;
  return { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) };
}

function readTls(given: ControlPlaneFlags): EtcdTls | undefined {
  const files = etcdTlsFiles(given);
  const options = { ca: '--etcd-cafile', cert: '--etcd-certfile', key: '--etcd-keyfile' };
  for (const name of ['ca', 'cert', 'key'] as const) {
    try {
      readEtcdTls({ ...(files?.[name] !== undefined && { [name]: files[name] }) });
    } catch (error) {
      throw new CommandError(`${options[name]}: ${(error as Error).message}`);
    }
  }
  return files && readEtcdTls(files);
}

/** As Go's: `15s`, `1m30s`, `500ms`. */
function parseDuration(option: string, text: string): number {
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const total = parts.reduce((sum, [, value, unit]) => sum + Number(value) * units[unit!]!, 0);
  if (parts.map(([part]) => part).join('') !== text || total <= 0)
    throw new CommandError(`${option} ${text} is not a time (for example 15s)`);
  return total;
}
