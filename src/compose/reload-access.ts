import { readFileSync } from 'node:fs';
import { parseAuthorizationConfiguration } from '../apiserver/authorization/webhook/configuration-file.ts';
import { parseAuthenticationConfiguration } from '../apiserver/identity/oidc/configuration-file.ts';
import type { ApiServer } from '../apiserver/server.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';

/** As kube-apiserver looks at its files. */
const pollMs = 60_000;

export interface AccessFiles {
  authentication?: string;
  authorization?: string;
}

/**
 * Follows the operator's configuration files: what is right takes effect, what is wrong is told in the log and changes
 * nothing. Returns what ends it.
 */
export function followAccessFiles(
  files: AccessFiles,
  server: Pick<ApiServer, 'reconfigure'>,
  { clock, logger }: { clock: Clock; logger: Logger },
): () => void {
  const followed: { path: string; text: string; apply(text: string): void }[] = [];
  const follow = (path: string | undefined, apply: (text: string) => void) => {
    if (path !== undefined) followed.push({ path, text: readFileSync(path, 'utf8'), apply });
  };
  follow(files.authentication, (text) =>
    server.reconfigure({ authentication: parseAuthenticationConfiguration(text) }),
  );
  follow(files.authorization, (text) => server.reconfigure({ authorizers: parseAuthorizationConfiguration(text) }));
  if (followed.length === 0) return () => {};

  let cancel = () => {};
  const look = () => {
    for (const file of followed) {
      try {
        const text = readFileSync(file.path, 'utf8');
        if (text === file.text) continue;
        // Told once, whatever comes of it.
        file.text = text;
        file.apply(text);
        logger.info({ path: file.path }, 'a configuration file has changed, and holds from now on');
      } catch (error) {
        logger.error(
          { path: file.path, error: (error as Error).message },
          'a configuration file is wrong: what it said before holds',
        );
      }
    }
    cancel = clock.schedule(pollMs, look);
  };
  cancel = clock.schedule(pollMs, look);
  return () => cancel();
}
