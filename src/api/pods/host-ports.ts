import type { PodSpec } from '../generated/core-v1.ts';

/** A port of the node that a pod takes. */
export interface TakenPort {
  /** '' and 0.0.0.0 are every address. */
  address: string;
  protocol: string;
  port: number;
}

/** Source: GetHostPorts of the scheduler: containers' and sidecars'; a pod of the host's network takes all its ports. */
export function hostPortsOf(spec: PodSpec): TakenPort[] {
  const taken: TakenPort[] = [];
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  for (const { ports } of [...spec.containers, ...sidecars]) {
    for (const { hostPort, hostIP = '', protocol = 'TCP' } of ports ?? []) {
      if (!hostPort) continue;
      taken.push({ address: hostIP === '0.0.0.0' ? '' : hostIP, protocol, port: hostPort });
    }
  }
  return taken;
}

/** The same port of the same protocol, at the same address or where one of them takes all addresses. */
export const portsConflict = (a: TakenPort, b: TakenPort): boolean =>
  a.port === b.port && a.protocol === b.protocol && (a.address === b.address || a.address === '' || b.address === '');
