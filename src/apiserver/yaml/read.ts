import { Worker } from 'node:worker_threads';
import { longText, mostMembers, readJson } from '../../api/json/read-json.ts';
import { badRequest, StatusError } from '../../api/status.ts';
import { type Pace, runInTurns } from '../../base/steps.ts';
import { mostValues } from '../http/nesting.ts';
import { parseYamlText, type YamlReading } from './parse.ts';
import type { WorkerReading } from './worker.ts';

/** Read here and now: what takes a few milliseconds. */
const inlineLimit = 4 * 1024;
/** The longest YAML a body holds takes a third of it; what takes longer was written to. */
const timeoutMs = 15_000;
/** The thread ends when nobody sent YAML for so long. */
const idleMs = 10_000;
const waitingLimit = 16;

interface Job {
  text: string;
  resolve(reading: WorkerReading): void;
  reject(error: Error): void;
}

/**
 * Long YAML texts are read in a thread of their own, for three megabytes of it take seconds in which nobody else would be
 * answered. Whoever sends many waits behind those who send few. Clients of Kubernetes send JSON, so the thread is rarely
 * there at all.
 */
export class YamlReader {
  /** By owner, in the order of their next turns. */
  readonly #waiting = new Map<string, Job[]>();
  readonly #options: { timeoutMs: number; idleMs: number };
  #worker: Worker | undefined;
  #isBusy = false;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: { timeoutMs?: number; idleMs?: number } = {}) {
    this.#options = { timeoutMs, idleMs, ...options };
  }

  /**
   * 429 for an owner of whom enough texts wait already, 400 for what takes too long, 413 for what unfolds to more than a
   * body may hold; bad YAML is a reading too.
   */
  async read(text: string, owner: string, pace?: Pace): Promise<YamlReading> {
    if (text.length <= inlineLimit) return checked(parseYamlText(text));
    const { json, ...reading } = checked(await this.#readBeside(text, owner));
    if (json === undefined) return { value: undefined, ...reading };
    if (json.length < longText || pace === undefined) return { value: JSON.parse(json), ...reading };
    return { value: (await runInTurns(readJson(json), pace)).value, ...reading };
  }

  #readBeside(text: string, owner: string): Promise<WorkerReading> {
    const jobs = this.#waiting.get(owner) ?? [];
    if (jobs.length >= waitingLimit) {
      const message = 'too much YAML waits to be read, please try again later';
      return Promise.reject(new StatusError(429, 'TooManyRequests', message, { retryAfterSeconds: 1 }));
    }
    return new Promise((resolve, reject) => {
      jobs.push({ text, resolve, reject });
      this.#waiting.set(owner, jobs);
      this.#next();
    });
  }

  #next(): void {
    if (this.#isBusy) return;
    const first = this.#waiting.entries().next().value;
    if (first === undefined) {
      this.#idle = setTimeout(() => this.#end(), this.#options.idleMs).unref();
      return;
    }
    clearTimeout(this.#idle);
    const [owner, jobs] = first;
    const job = jobs.shift()!;
    // Its turn is over: the next of this owner comes after everybody else's.
    this.#waiting.delete(owner);
    if (jobs.length > 0) this.#waiting.set(owner, jobs);
    this.#isBusy = true;
    void this.#run(job).finally(() => {
      this.#isBusy = false;
      this.#next();
    });
  }

  async #run(job: Job): Promise<void> {
    const worker = (this.#worker ??= new Worker(new URL('worker.ts', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    }));
    worker.unref();
    await new Promise<void>((done) => {
      const settle = (finish: () => void) => {
        clearTimeout(timer);
        worker.off('message', onMessage);
        worker.off('error', onError);
        finish();
        done();
      };
      const onMessage = (reading: WorkerReading) => settle(() => job.resolve(reading));
      const onError = () => {
        this.#end();
        settle(() => job.reject(badRequest('error converting YAML to JSON: yaml: the text takes too much to read')));
      };
      const timer = setTimeout(onError, this.#options.timeoutMs);
      worker.on('message', onMessage);
      worker.on('error', onError);
      worker.postMessage(job.text);
    });
  }

  #end(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.on('error', () => {});
    void worker?.terminate();
  }
}

function checked<T extends { isTooLarge?: boolean }>(reading: T): T {
  if (reading.isTooLarge !== true) return reading;
  const message = `Request entity too large: the body holds more than ${mostValues} values, or ${mostMembers} in one object`;
  throw new StatusError(413, 'RequestEntityTooLarge', message);
}

const reader = new YamlReader();

export const readYaml = (text: string, owner: string, pace?: Pace): Promise<YamlReading> =>
  reader.read(text, owner, pace);
