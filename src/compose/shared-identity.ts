import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { existsSync, linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Store } from '../store/store.ts';
import { CommandError } from './command-error.ts';
import type { DataDirectory } from './data-directory.ts';

/** What all control planes of one Skypod must have in common; all else of `pki/` each makes for itself. */
const sharedFiles = [
  ...['ca', 'tenant-servers', 'front-proxy-ca'].flatMap((name) => [`${name}.key`, `${name}.crt`]),
  'service-account.key',
];

/** No resource has this key: its second part is no resource's name. */
const identityKey = '/skypod.internal/identity/control-plane';
const keyBytes = 32;

export interface SharedIdentityOptions {
  store: Store;
  data: DataDirectory;
  /** `DATA/pki/cluster.key` when absent. */
  clusterKeyFile: string | undefined;
  /** Makes the files that are missing. */
  create(): Promise<void>;
}

/**
 * Gives this control plane the certificate authorities and the token key of the others. The first one puts its own into
 * the store, sealed with the cluster key (AES-256-GCM); those after it need the same cluster key to take it from there.
 * See docs/decisions/0009. @throws CommandError when the key is missing or another's
 */
export async function shareIdentity(options: SharedIdentityOptions): Promise<void> {
  const { store, data } = options;
  const keyFile = options.clusterKeyFile ?? join(data.pki, 'cluster.key');
  for (;;) {
    const stored = await store.get(identityKey);
    if (stored !== undefined) {
      if (!existsSync(keyFile))
        throw new CommandError(
          `the store belongs to control planes with a cluster key: copy theirs (DATA/pki/cluster.key) to ${keyFile}`,
        );
      return install(data, open(stored.value, readKey(keyFile), keyFile));
    }
    makeKey(keyFile);
    await options.create();
    const value = seal(collect(data), readKey(keyFile));
    await store.commit({
      compare: [{ key: identityKey, modRevision: 0 }],
      operations: [{ type: 'put', key: identityKey, value }],
    });
    // Another may have been first: what is in the store holds, and is looked at again.
  }
}

type Files = Record<string, string>;

const collect = (data: DataDirectory): Files =>
  Object.fromEntries(sharedFiles.map((name) => [name, readFileSync(join(data.pki, name), 'utf8')]));

function install(data: DataDirectory, files: Files): void {
  const authority = join(data.pki, 'ca.crt');
  const isAnother = existsSync(authority) && readFileSync(authority, 'utf8') !== files['ca.crt'];
  if (isAnother && existsSync(join(data.root, 'kubeconfig')))
    throw new CommandError(
      `${data.root} has a certificate authority of its own, not the one in the store: use a new data directory`,
    );
  for (const name of sharedFiles) {
    const path = join(data.pki, name);
    if (!existsSync(path) || readFileSync(path, 'utf8') !== files[name]) writeSecret(path, files[name]!);
  }
}

/** Two control planes that are given the same file and start at once must make one key. */
function makeKey(path: string): void {
  if (existsSync(path)) return;
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, `${randomBytes(keyBytes).toString('base64')}\n`, { mode: 0o600 });
  try {
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(temporary);
  }
}

function readKey(path: string): Buffer {
  const key = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64');
  if (key.length !== keyBytes) throw new CommandError(`${path} is no cluster key: ${keyBytes} bytes in base64`);
  return key;
}

function seal(files: Files, key: Buffer): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(identityKey));
  const sealed = Buffer.concat([cipher.update(JSON.stringify(files)), cipher.final(), cipher.getAuthTag()]);
  return Buffer.from(JSON.stringify({ format: 1, nonce: nonce.toString('base64'), sealed: sealed.toString('base64') }));
}

function open(value: Uint8Array, key: Buffer, keyFile: string): Files {
  const { nonce, sealed } = JSON.parse(Buffer.from(value).toString());
  const bytes = Buffer.from(sealed, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64')).setAAD(Buffer.from(identityKey));
  decipher.setAuthTag(bytes.subarray(-16));
  try {
    return JSON.parse(Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString());
  } catch {
    throw new CommandError(`${keyFile} is not the cluster key of the control planes that use this store`);
  }
}

function writeSecret(path: string, content: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content, { mode: 0o600 });
  renameSync(temporary, path);
}
