import { readFileSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { EtcdTls } from '../store/etcd/connection.ts';

/** Paths of PEM files. */
export interface EtcdTlsFiles {
  ca?: string;
  cert?: string;
  key?: string;
}

/** Certificates are replaced long before they expire; authorities by bundles that hold both. */
const pollMs = 10_000;

export function readEtcdTls(files: EtcdTlsFiles): EtcdTls {
  return {
    ...(files.ca !== undefined && { ca: readFileSync(files.ca) }),
    ...(files.cert !== undefined && { cert: readFileSync(files.cert) }),
    ...(files.key !== undefined && { key: readFileSync(files.key) }),
  };
}

/**
 * Follows the files: what they say by now is used for connections that are made from then on. What cannot be right, and
 * members that do not take it, are told in the log; those are tried again with each look. Returns what ends it.
 */
export function followEtcdTls(
  store: { renewTls(tls: EtcdTls): Promise<Map<string, string>> },
  files: EtcdTlsFiles,
  { clock, logger, first }: { clock: Clock; logger: Logger /** What the store was opened with. */; first: EtcdTls },
): () => void {
  const paths = Object.values(files);
  let used = textOf(first);
  /** Last seen, and what was told to be wrong with it. */
  let seen = used;
  let told = '';
  let isOver = false;
  let cancel = () => {};

  const complain = (details: object, message: string) => {
    if (message !== told) logger.error({ paths, ...details }, message);
    told = message;
  };
  const look = async () => {
    try {
      const tls = readEtcdTls(files);
      const text = textOf(tls);
      const isNew = text !== seen;
      if (isNew) told = '';
      seen = text;
      if (text === used) return;
      const failed = await store.renewTls(tls).catch((error: Error) => {
        // Files are replaced one after the other: what does not fit together yet is looked at once more.
        if (!isNew) complain({ error: error.message }, 'certificates for etcd are wrong: what they were before holds');
      });
      if (failed === undefined || isOver) return;
      if (failed.size > 0) {
        complain({ members: Object.fromEntries(failed) }, 'members of etcd do not take the changed certificates yet');
        return;
      }
      used = text;
      logger.info({ paths }, 'certificates for etcd have changed, and are used from now on');
    } catch (error) {
      complain(
        { error: (error as Error).message },
        'certificates for etcd cannot be read: what they were before holds',
      );
    }
  };
  const next = () => {
    if (isOver) return;
    cancel = clock.schedule(pollMs, () => void look().finally(next));
  };
  next();
  return () => {
    isOver = true;
    cancel();
  };
}

const textOf = ({ ca, cert, key }: EtcdTls): string => [ca, cert, key].map((pem) => pem?.toString('latin1')).join('\0');
