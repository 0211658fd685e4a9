import { after, before, describe } from 'node:test';
import { type TestImages, testImages } from '../lib/images.ts';
import { isRoot, startSkypod } from '../lib/skypod.ts';
import { Cluster } from './containers/cluster.ts';
import { configurationTests } from './containers/configuration.ts';
import { kubectlTests } from './containers/kubectl.ts';
import { lifeTests } from './containers/life.ts';
import { networkTests } from './containers/network.ts';

/** Real containers in containerd, driven by real kubectl. */
describe('skypod up --runtime containerd', { skip: isRoot ? false : 'containers need root' }, () => {
  const cluster = new Cluster();
  let images: TestImages;

  before(async () => {
    images = await testImages();
    cluster.started(await startSkypod({ runtime: 'containerd' }));
  });
  after(async () => {
    await cluster.skypod.destroy();
    await images?.release();
  });

  kubectlTests(cluster);
  networkTests(cluster);
  lifeTests(cluster);
  configurationTests(cluster);
});
