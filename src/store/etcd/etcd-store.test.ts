import { after, test } from 'node:test';
import { storeContract } from '../contract/store-contract.ts';
import { openEtcdStore } from './etcd-store.ts';
import { type EtcdCluster, etcdMissing, startEtcd } from './testing/etcd-cluster.ts';

const clusters: EtcdCluster[] = [];
after(async () => {
  for (const cluster of clusters) await cluster.destroy();
});

if (etcdMissing !== false) {
  test('etcd', { skip: etcdMissing }, () => {});
} else {
  storeContract(
    'etcd',
    async () => {
      for (const cluster of clusters.splice(0)) await cluster.destroy();
      const cluster = await startEtcd();
      clusters.push(cluster);
      return openEtcdStore(cluster);
    },
    { numbersInCallOrder: false, hasFiles: true },
  );
}
