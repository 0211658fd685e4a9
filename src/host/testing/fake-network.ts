import { connect, type Socket } from 'node:net';
import type { PodAddress, PodNetwork } from '../../api/pod-network.ts';

/** A network of addresses only; connections go to `ports` on this machine, whatever the pod. */
export class FakeNetwork implements PodNetwork {
  readonly attached = new Map<string, { tenant: string; uid: string; address: PodAddress }>();
  /** Port of the pod -> port on 127.0.0.1. */
  readonly ports = new Map<number, number>();
  /** What the next set-ups reject with. */
  failures: Error[] = [];
  #next = 1;

  async setUp({ tenant, uid }: { tenant: string; uid: string; hostNetwork: boolean }): Promise<PodAddress> {
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    let entry = this.attached.get(uid);
    if (entry === undefined) {
      const number = this.#next++;
      const ip = `10.128.${number >> 8}.${number & 255}`;
      entry = { tenant, uid, address: { ip, hostIp: '10.128.0.1' } };
      this.attached.set(uid, entry);
    }
    return entry.address;
  }

  async tearDown({ uid }: { tenant: string; uid: string }): Promise<void> {
    this.attached.delete(uid);
  }

  async list() {
    return [...this.attached.values()];
  }

  connect(_tenant: string, _address: string, port: number, _timeoutMs: number): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const target = this.ports.get(port);
      if (target === undefined) {
        reject(Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' }));
        return;
      }
      const socket = connect(target, '127.0.0.1');
      socket.once('connect', () => resolve(socket));
      socket.once('error', reject);
    });
  }

  localAddress(): string | undefined {
    return undefined;
  }
}
