import { Worker } from 'node:worker_threads';
import { badRequest, StatusError } from '../../api/status.ts';
import { parseYamlText, type YamlReading } from './parse.ts';

/** Read here and now: what takes a few milliseconds. */
const inlineLimit = 4 * 1024;
/** The longest YAML a body holds takes a third of it; what takes longer was written to. */
const timeoutMs = 15_000;
/** The thread ends when nobody sent YAML for so long. */
const idleMs = 10_000;
const waitingLimit = 16;

interface Job {
  text: string;
  resolve(reading: YamlReading): void;
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

  /** 429 for an owner of whom enough texts wait already, 400 for what takes too long; bad YAML is a reading too. */
  async read(text: string, owner: string): Promise<YamlReading> {
    if (text.length <= inlineLimit) return parseYamlText(text);
    const jobs = this.#waiting.get(owner) ?? [];
    if (jobs.length >= waitingLimit) {
      throw new StatusError(429, 'TooManyRequests', 'too much YAML waits to be read, please try again later', {
        retryAfterSeconds: 1,
      });
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
      const onMessage = (reading: YamlReading) => settle(() => job.resolve(reading));
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

const reader = new YamlReader();

/** As YamlReader.read; what is JSON, which is YAML too, is read as such. */
export async function readYaml(text: string, owner: string): Promise<YamlReading> {
  return reader.read(text, owner);
}
