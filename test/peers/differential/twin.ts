import type { Endpoint } from '../http2-client.ts';
import type { Answer, Ask, HttpClient } from './client.ts';
import { compareJson, compareValue, type Difference } from './compare.ts';
import type { Normaliser } from './normalise.ts';

/** One of the two servers, with what its own earlier answers said. */
export interface Side {
  readonly name: 'kubernetes' | 'skypod';
  readonly client: HttpClient;
  /** For clients of another make; the tenant's paths begin with `prefix`. */
  readonly endpoint: Endpoint;
  readonly prefix: string;
  readonly normaliser: Normaliser;
  /** Notes of a suite: uids, revisions, tokens. */
  readonly notes: Record<string, any>;
}

export interface CompareOptions {
  /** Lists of named things are compared by name. */
  unordered?: boolean;
  /** What of the body is compared; all of it when absent. */
  reduce?(answer: Answer, side: Side): unknown;
  /** Only the status and the headers are. */
  bodyIgnored?: boolean;
  /** More to take out of this answer's text. */
  replace?: [RegExp, string][];
}

export interface Recorded {
  label: string;
  differences: Difference[];
}

export type Both = { kubernetes: Answer; skypod: Answer };
type PerSide<T> = T | ((side: Side) => T);

/** Transport's own, or without meaning for clients. */
const ignoredHeaders = new Set(['date', 'content-length', 'connection', 'keep-alive', 'transfer-encoding']);
/** Of these only that they are there, and their shape. */
const opaqueHeaders = new Set([
  'audit-id',
  'etag',
  'x-kubernetes-pf-flowschema-uid',
  'x-kubernetes-pf-prioritylevel-uid',
]);

/** Asks both servers the same and notes how their answers differ. */
export class Twin {
  readonly run: string;
  readonly kubernetes: Side;
  readonly skypod: Side;
  readonly recorded: Recorded[] = [];
  readonly #suite: string;

  constructor(run: string, suite: string, kubernetes: Side, skypod: Side) {
    this.run = run;
    this.#suite = suite;
    this.kubernetes = { ...kubernetes, notes: {} };
    this.skypod = { ...skypod, notes: {} };
  }

  get sides(): Side[] {
    return [this.kubernetes, this.skypod];
  }

  /** @param label what the request is about, unique in its suite. */
  async ask(label: string, ask: PerSide<Ask>, options: CompareOptions = {}): Promise<Both> {
    // A server that hangs up has answered too.
    const hungUp = (error: Error): Answer => {
      const text = `no answer: ${error.message}`;
      return { status: 0, headers: {}, bytes: Buffer.from(text), text, json: undefined };
    };
    const [kubernetes, skypod] = await Promise.all(this.sides.map((side) => this.#send(side, ask).catch(hungUp)));
    const both = { kubernetes: kubernetes!, skypod: skypod! };
    this.compare(label, both, options);
    return both;
  }

  /** Compares answers that were had in another way. */
  compare(label: string, both: Both, options: CompareOptions = {}): void {
    const differences = [
      ...this.#compareStatuses(both),
      ...this.#compareHeaders(both),
      ...(options.bodyIgnored || both.kubernetes.status !== both.skypod.status
        ? []
        : this.#compareBodies(both, options)),
    ];
    this.recorded.push({ label: `${this.#suite}: ${label}`, differences });
  }

  /** Compares what a suite worked out itself. */
  compareValues(label: string, kubernetes: unknown, skypod: unknown, options: CompareOptions = {}): void {
    const differences = compareJson(
      'value',
      this.#normalised(this.kubernetes, kubernetes, options),
      this.#normalised(this.skypod, skypod, options),
      options,
    );
    this.recorded.push({ label: `${this.#suite}: ${label}`, differences });
  }

  /** Something both need and nobody compares. */
  async prepare(ask: PerSide<Ask>, wanted: number[] = [200, 201, 404, 409]): Promise<Both> {
    const [kubernetes, skypod] = await Promise.all(this.sides.map((side) => this.#send(side, ask)));
    for (const [index, answer] of [kubernetes!, skypod!].entries()) {
      if (wanted.includes(answer.status)) continue;
      const failed = `${this.sides[index]!.name}: status ${answer.status}: ${answer.text.slice(0, 500)}`;
      throw new Error(`${this.#suite}: preparation failed: ${failed}`);
    }
    return { kubernetes: kubernetes!, skypod: skypod! };
  }

  /** Keeps something of each side's answer for later requests. */
  note(name: string, both: Both, pick: (answer: Answer) => unknown): void {
    this.kubernetes.notes[name] = pick(both.kubernetes);
    this.skypod.notes[name] = pick(both.skypod);
  }

  #send(side: Side, ask: PerSide<Ask>): Promise<Answer> {
    return side.client.send(typeof ask === 'function' ? ask(side) : ask);
  }

  /** With another status, everything else differs too: what was said is enough. */
  #compareStatuses({ kubernetes, skypod }: Both): Difference[] {
    if (kubernetes.status === skypod.status) return [];
    const see = (side: Side, { status, json, text }: Answer) =>
      `${status} ${side.normaliser.text(String(json?.message ?? json?.kind ?? text.slice(0, 300)))}`;
    return compareValue('status', see(this.kubernetes, kubernetes), see(this.skypod, skypod));
  }

  #compareHeaders({ kubernetes, skypod }: Both): Difference[] {
    const names = new Set([...Object.keys(kubernetes.headers), ...Object.keys(skypod.headers)]);
    return [...names].flatMap((name) => {
      if (ignoredHeaders.has(name)) return [];
      const see = (side: Side, answer: Answer) => {
        const value = answer.headers[name];
        if (value === undefined) return undefined;
        const text = side.normaliser.text(String(value));
        return opaqueHeaders.has(name) ? text.replaceAll(/[0-9A-Fa-f]{20,}/g, '<hash>') : text;
      };
      return compareValue(`header ${name}`, see(this.kubernetes, kubernetes), see(this.skypod, skypod));
    });
  }

  #compareBodies({ kubernetes, skypod }: Both, options: CompareOptions): Difference[] {
    const see = (side: Side, answer: Answer) => {
      const value = options.reduce?.(answer, side) ?? answer.json ?? answer.text;
      return this.#normalised(side, value, options);
    };
    return compareJson('body', see(this.kubernetes, kubernetes), see(this.skypod, skypod), options);
  }

  #normalised(side: Side, value: unknown, options: CompareOptions): unknown {
    const normal = side.normaliser.json(value);
    if (options.replace === undefined || normal === undefined) return normal;
    let text = JSON.stringify(normal);
    for (const [from, to] of options.replace) text = text.replaceAll(from, to);
    return JSON.parse(text);
  }
}
