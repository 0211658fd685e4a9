import type { Socket } from 'node:net';

/** A connection costs memory whether it asks for anything or not: one tenant gets so many, strangers fewer. */
export const connectionLimits = { tenant: 2000, strangers: 200, all: 20_000 };

/** Counts connections by who was the last to use them. */
export class ConnectionBudget {
  readonly #owners = new WeakMap<Socket, string>();
  readonly #counts = new Map<string, number>();

  /** False when `owner` has no connection left to open; who has one may go on using it. */
  admit(socket: Socket, owner: string, limit: number): boolean {
    const before = this.#owners.get(socket);
    if (before === owner) return true;
    const count = this.#counts.get(owner) ?? 0;
    if (count >= limit) return false;
    if (before === undefined) socket.once('close', () => this.#drop(this.#owners.get(socket)!));
    else this.#drop(before);
    this.#owners.set(socket, owner);
    this.#counts.set(owner, count + 1);
    return true;
  }

  #drop(owner: string): void {
    const left = (this.#counts.get(owner) ?? 1) - 1;
    if (left > 0) this.#counts.set(owner, left);
    else this.#counts.delete(owner);
  }
}
