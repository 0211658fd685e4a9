import { testNetwork } from './network.ts';

/** Run by recovery.test.ts and killed at any moment: sets pods up and tears some down for ever. */
const { network } = await testNetwork({ dataDirectory: process.argv[2]!, idleVpcMs: 5 });
console.log('ready');
for (let round = 0; ; round++) {
  await Promise.all(
    Array.from({ length: 4 }, async (_, lane) => {
      const pod = {
        tenant: `tenant${(round + lane) % 3}`,
        uid: `pod${process.pid}-${round}-${lane}`,
        hostNetwork: false,
      };
      await network.setUp(pod);
      if ((round + lane) % 2 === 0) await network.tearDown(pod);
    }),
  );
}
