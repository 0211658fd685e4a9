import { readFileSync } from 'node:fs';
import type { HealthCheck } from '../apiserver/discovery/health.ts';
import { pause } from '../base/abort.ts';
import { type Clock, spanClock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Metric } from '../base/metrics.ts';
import { type EncryptionRules, parseEncryptionConfiguration } from '../store/encryption/configuration.ts';
import { type EncryptedStore, encryptedStore } from '../store/encryption/encrypted-store.ts';
import { reseal } from '../store/encryption/reseal.ts';
import type { Store } from '../store/store.ts';
import { CommandError } from './command-error.ts';
import { pollMs, Reloads } from './reload-access.ts';

/** What the flags say. */
export interface EncryptionSettings {
  path: string;
  /** Whether changes of the file hold without a start. */
  reloads: boolean;
  text: string;
  rules: EncryptionRules;
}

export interface EncryptionOptions {
  settings: EncryptionSettings;
  /** Keys of the platform's own objects that no operator writes again by hand when keys change. */
  ownPrefix: string;
  clock: Clock;
  logger: Logger;
  /** A plug-in does not answer yet: a line for who waits for the start. */
  onWait(line: string): void;
  stop: AbortSignal;
}

/** A plug-in that starts together with this process answers by then. */
const startPatienceMs = 60_000;
const startPauseMs = 500;
/** Of a plug-in that a changed file names; upstream's minKMSPluginCloseGracePeriod. */
const shortestGraceMs = 10_000;
const resealPauseMs = 10_000;

/** The store through which values are written encrypted, and its keys while they change. */
export class EncryptionAtRest {
  readonly store: EncryptedStore;
  readonly #options: EncryptionOptions;
  readonly #reloads: Reloads;
  #rules: EncryptionRules;
  #text: string;
  /** Said once of each text that is wrong; each look at it counts. */
  #refused: string | undefined;
  #cancelLook = () => {};
  /** Rules that hold no more, until nothing goes on by them. */
  readonly #former = new Set<{ rules: EncryptionRules; cancel(): void }>();
  #resealing: Promise<void> | undefined;
  #resealAgain = false;
  readonly #closed = new AbortController();

  /** Resolves when what is stored can be read and written. @throws CommandError when a plug-in never answers */
  static async open(inner: Store, options: EncryptionOptions): Promise<EncryptionAtRest> {
    const encryption = new EncryptionAtRest(inner, options);
    try {
      await encryption.#startAtFirst();
      await reseal(encryption.store, options.ownPrefix);
    } catch (error) {
      encryption.close();
      throw error;
    }
    encryption.#follow();
    return encryption;
  }

  private constructor(inner: Store, options: EncryptionOptions) {
    const { settings, clock } = options;
    this.#options = options;
    this.#rules = settings.rules;
    this.#text = settings.text;
    this.#reloads = new Reloads('encryption', clock);
    this.#reloads.holds(settings.text);
    this.store = encryptedStore(inner, settings.rules);
  }

  /** One for all plug-ins, as upstream has it where all are of v2; where they may come and go it is always there. */
  get checks(): HealthCheck[] {
    const { rules, reloads } = this.#options.settings;
    if (rules.services.length === 0 && !reloads) return [];
    return [{ name: 'kms-providers', withoutLivez: true, check: () => this.#checkPlugins() }];
  }

  get metrics(): Metric[] {
    return this.#reloads.metrics;
  }

  close(): void {
    this.#closed.abort();
    this.#cancelLook();
    for (const { rules, cancel } of this.#former) {
      cancel();
      closeAll(rules);
    }
    closeAll(this.#rules);
  }

  async #startAtFirst(): Promise<void> {
    const { logger, onWait, stop } = this.#options;
    try {
      await this.#start(this.#rules, startPatienceMs, stop, (reason) => {
        logger.warn({ reason }, 'a KMS plug-in is not ready: waiting for it');
        onWait(`${reason}: waiting for its plug-in`);
      });
    } catch (error) {
      const { message } = error as Error;
      throw new CommandError(`${message}: start its plug-in, or correct --encryption-provider-config`);
    }
  }

  /** @throws with what the last plug-in said when it does not answer in time, or `stop` aborts */
  async #start({ services }: EncryptionRules, patienceMs: number, stop: AbortSignal, onWait = (_why: string) => {}) {
    const { clock } = this.#options;
    const spanMs = spanClock(clock);
    const deadlineMs = spanMs() + patienceMs;
    for (const service of services) {
      for (let attempt = 1; ; attempt++) {
        try {
          await service.start();
          break;
        } catch (error) {
          if (stop.aborted || spanMs() >= deadlineMs) throw error;
          if (attempt === 1) onWait((error as Error).message);
          await pause(clock, startPauseMs, stop);
        }
      }
    }
  }

  #follow(): void {
    this.#resealOnNewKeys();
    const { settings, clock } = this.#options;
    if (!settings.reloads) return;
    const look = () => {
      this.#cancelLook = clock.schedule(pollMs, () => void this.#look().finally(look));
      if (this.#closed.signal.aborted) this.#cancelLook();
    };
    look();
  }

  async #look(): Promise<void> {
    const { settings, clock, logger } = this.#options;
    const { path } = settings;
    let text: string | undefined;
    let rules: EncryptionRules | undefined;
    try {
      text = readFileSync(path, 'utf8');
      if (text === this.#text) return;
      rules = parseEncryptionConfiguration(text, clock);
      await this.#start(rules, graceMs(rules), this.#closed.signal);
    } catch (error) {
      if (rules !== undefined) closeAll(rules);
      this.#reloads.count('failure');
      if (this.#refused !== text || text === undefined)
        logger.error(
          { path, error: (error as Error).message },
          'a configuration file is wrong: what it said before holds',
        );
      this.#refused = text;
      return;
    }
    if (this.#closed.signal.aborted) return closeAll(rules);
    this.#retire(this.#rules);
    this.#rules = rules;
    this.#text = text;
    this.#refused = undefined;
    this.store.use(rules);
    this.#reloads.holds(text);
    this.#reloads.count('success');
    logger.info({ path }, 'a configuration file has changed, and holds from now on');
    this.#resealOnNewKeys();
    this.#reseal();
  }

  #retire(rules: EncryptionRules): void {
    if (rules.services.length === 0) return;
    const former = {
      rules,
      cancel: this.#options.clock.schedule(graceMs(rules), () => {
        this.#former.delete(former);
        closeAll(rules);
      }),
    };
    this.#former.add(former);
  }

  #resealOnNewKeys(): void {
    for (const service of this.#rules.services) service.onNewKey = () => this.#reseal();
  }

  /** Until it is done: an old key may be taken away once nothing needs it. */
  #reseal(): void {
    this.#resealAgain = true;
    this.#resealing ??= this.#resealUntilDone().finally(() => {
      this.#resealing = undefined;
    });
  }

  async #resealUntilDone(): Promise<void> {
    const { clock, logger, ownPrefix } = this.#options;
    while (this.#resealAgain && !this.#closed.signal.aborted) {
      this.#resealAgain = false;
      try {
        await reseal(this.store, ownPrefix);
      } catch (error) {
        logger.warn(
          { error: (error as Error).message },
          'instances could not be written with the new key; trying again',
        );
        this.#resealAgain = true;
        await pause(clock, resealPauseMs, this.#closed.signal);
      }
    }
  }

  #checkPlugins(): void {
    const failures = this.#rules.services.flatMap((service, index) => {
      try {
        service.check();
        return [];
      } catch (error) {
        return [`kms-provider-${index}: ${(error as Error).message}`];
      }
    });
    if (failures.length > 0) throw new Error(failures.length === 1 ? failures[0] : `[${failures.join(', ')}]`);
  }
}

const graceMs = ({ services }: EncryptionRules): number =>
  Math.max(
    shortestGraceMs,
    services.reduce((sum, { timeoutMs }) => sum + 2 * timeoutMs, 0),
  );

function closeAll({ services }: EncryptionRules): void {
  for (const service of services) service.close();
}

/** @throws CommandError */
export function readEncryption(path: string, reloads: boolean): EncryptionSettings {
  try {
    const text = readFileSync(path, 'utf8');
    return { path, reloads, text, rules: parseEncryptionConfiguration(text) };
  } catch (error) {
    throw new CommandError(`--encryption-provider-config ${path}: ${(error as Error).message}`);
  }
}
