import { deepEqual } from '../../api/equality.ts';
import { cloneJson } from '../../api/json/json.ts';
import type { KubeObject } from '../../api/object.ts';
import { type AdmissionRequest, reinvocationOf } from './admission.ts';

interface Memory {
  /** The object as the plug-in left it. */
  output: KubeObject | undefined;
  /** Asked already, and to be asked again if the object changes after. */
  invoked: Set<string>;
  toReinvoke: Set<string>;
}

/**
 * The round a mutating plug-in is in, and what its first round leaves for the second; keys name its webhooks or policies.
 * Source: mutating/reinvocationcontext.go and policy/mutating/reinvocationcontext.go upstream.
 */
export class Round {
  readonly isSecond: boolean;
  /** In the second round: the first asked nobody. */
  readonly isIdle: boolean;
  readonly #request: AdmissionRequest;
  readonly #plugin: string;
  readonly #memory: Memory;

  constructor(request: AdmissionRequest, plugin: string) {
    this.isSecond = request.reinvocation?.isReinvoke === true;
    const memory = request.reinvocation?.memory.get(plugin) as Memory | undefined;
    this.isIdle = this.isSecond && memory === undefined;
    this.#request = request;
    this.#plugin = plugin;
    this.#memory = memory ?? { output: undefined, invoked: new Set(), toReinvoke: new Set() };
    if (this.isSecond && !this.isIdle && !deepEqual(this.#memory.output, request.object)) this.#askAgain();
  }

  /** Who was not asked in the first round is not asked in the second either. */
  asks(key: string): boolean {
    return !this.isSecond || this.#memory.toReinvoke.has(key);
  }

  /** Somebody asked in this round changed the object. */
  changed(): void {
    this.#askAgain();
    reinvocationOf(this.#request).shouldReinvoke = true;
  }

  /** It was asked, and wants to be again if others change the object after it. */
  invoked(key: string): void {
    this.#memory.invoked.add(key);
  }

  /** To be called when the request has the plug-in's object. */
  end(): void {
    const { object } = this.#request;
    const { invoked, toReinvoke } = this.#memory;
    if (object === undefined || (invoked.size === 0 && toReinvoke.size === 0)) return;
    this.#memory.output = cloneJson(object);
    reinvocationOf(this.#request).memory.set(this.#plugin, this.#memory);
  }

  #askAgain(): void {
    for (const key of this.#memory.invoked) this.#memory.toReinvoke.add(key);
    this.#memory.invoked.clear();
  }
}
