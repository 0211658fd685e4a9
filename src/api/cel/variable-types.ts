import { hash } from 'node:crypto';
import { type CelType, formatType } from './types.ts';

/**
 * The variables of a policy with their types, which grow while their expressions are compiled, each knowing those
 * before it. `digest` stands for all of them where thousands of expressions are told apart by what they may name.
 */
export class VariableTypes {
  readonly #types = new Map<string, CelType>();
  #digest = '';

  set(name: string, type: CelType): void {
    this.#types.set(name, type);
    this.#digest = hash('sha256', `${this.#digest}\n${name}:${formatType(type)}`, 'base64');
  }

  get(name: string): CelType | undefined {
    return this.#types.get(name);
  }

  get digest(): string {
    return this.#digest;
  }
}
