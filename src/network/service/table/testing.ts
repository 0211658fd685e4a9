import type { VpcService } from '../../../api/pool.ts';

type Spec = VpcService['spec'];

/** A VpcService of namespace `default` with one TCP port 80 named http, whose endpoints listen on 8080. */
export function vpcService(name: string, clusterIP: string, addresses: string[], more: Partial<Spec> = {}): VpcService {
  return {
    metadata: {
      name: `default.${name}`,
      namespace: 'red',
      uid: name,
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: {
      serviceRef: { namespace: 'default', name },
      type: 'ClusterIP',
      clusterIPs: clusterIP === '' ? [] : [clusterIP],
      ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
      endpoints: addresses.map((address) => ({ address, ready: true, ports: { http: 8080 } })),
      ...more,
    },
  };
}
