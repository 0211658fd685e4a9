import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseAuthorizationConfiguration } from '../apiserver/authorization/webhook/configuration-file.ts';
import { parseAuthenticationConfiguration } from '../apiserver/identity/oidc/configuration-file.ts';
import type { TokenIssuers } from '../apiserver/identity/token-issuers.ts';
import type { ApiServer } from '../apiserver/server.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { ComputedGauge, Counter, Gauge, type Metric } from '../base/metrics.ts';

/** How often kube-apiserver looks at its files. */
export const pollMs = 60_000;

export interface AccessFiles {
  authentication?: string;
  authorization?: string;
  /** Whose tokens no issuer of the configuration may give. */
  serviceAccounts?: TokenIssuers;
}

/**
 * Follows the operator's configuration files: what is right takes effect, what is wrong is told in the log and changes
 * nothing. Returns what ends it.
 */
export function followAccessFiles(
  files: AccessFiles,
  server: Pick<ApiServer, 'reconfigure' | 'addMetrics'>,
  { clock, logger }: { clock: Clock; logger: Logger },
): () => void {
  const followed: { path: string; text: string; reloads: Reloads; apply(text: string): void }[] = [];
  const follow = (name: string, path: string | undefined, apply: (text: string) => void) => {
    if (path === undefined) return;
    const reloads = new Reloads(name, clock);
    server.addMetrics(reloads.metrics);
    const text = readFileSync(path, 'utf8');
    reloads.holds(text);
    followed.push({ path, text, reloads, apply });
  };
  follow('authentication', files.authentication, (text) =>
    server.reconfigure({ authentication: parseAuthenticationConfiguration(text, files.serviceAccounts) }),
  );
  follow('authorization', files.authorization, (text) =>
    server.reconfigure({ authorizers: parseAuthorizationConfiguration(text) }),
  );
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
        file.reloads.holds(text);
        file.reloads.count('success');
        logger.info({ path: file.path }, 'a configuration file has changed, and holds from now on');
      } catch (error) {
        file.reloads.count('failure');
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

/** Source: the packages `metrics` of authenticationconfig, authorizationconfig and encryptionconfig upstream. */
export class Reloads {
  readonly #clock: Clock;
  readonly #total: Counter;
  readonly #last: Gauge;
  readonly #info: ComputedGauge;
  #hash = '';

  constructor(name: string, clock: Clock) {
    const prefix = `apiserver_${name}_config_controller_automatic_reload`;
    const labels = ['status', 'apiserver_id_hash'];
    this.#clock = clock;
    this.#total = new Counter(
      `${prefix}s_total`,
      `Changes of the configuration of ${name} by what came of them.`,
      labels,
    );
    this.#last = new Gauge(`${prefix}_last_timestamp_seconds`, 'When that was last.', labels);
    this.#info = new ComputedGauge(
      `apiserver_${name}_config_controller_last_config_info`,
      `Which configuration of ${name} holds, by a hash of the file.`,
      ['apiserver_id_hash', 'hash'],
      () => [{ labels: ['', this.#hash], value: 1 }],
    );
  }

  get metrics(): Metric[] {
    return [this.#total, this.#last, this.#info];
  }

  /** This is what the file that holds says. */
  holds(text: string): void {
    this.#hash = `sha256:${createHash('sha256').update(text).digest('hex')}`;
  }

  count(status: 'success' | 'failure'): void {
    // Servers have no names of their own here.
    this.#total.with(status, '').add();
    this.#last.with(status, '').value = this.#clock.now() / 1000;
  }
}
